import type { CancelTimer, Clock } from '../base/clock.ts';

/** setTimeout runs at once for anything longer. */
const longestTimeout = 2 ** 31 - 1;

/** The clock of this computer. A waiting timer keeps the process alive until it has run or is cancelled. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after: (milliseconds, action) => startTimer(milliseconds, action),
};

function startTimer(milliseconds: number, action: () => void): CancelTimer {
  if (milliseconds <= longestTimeout) {
    const timer = setTimeout(action, milliseconds);
    return () => clearTimeout(timer);
  }
  let cancel: CancelTimer = () => undefined;
  const timer = setTimeout(() => {
    cancel = startTimer(milliseconds - longestTimeout, action);
  }, longestTimeout);
  return () => {
    clearTimeout(timer);
    cancel();
  };
}

import type { Clock } from '../../base/clock.ts';

/** Resolves when `work` has settled, either way, or when the time is up. */
export function settleWithin(clock: Clock, milliseconds: number, work: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(milliseconds, resolve);
    const done = (): void => {
      cancel();
      resolve();
    };
    work.then(done, done);
  });
}

import type { Clock } from '../base/clock.ts';

/**
 * Waits for `work` no longer than `milliseconds`, then rejects with what `late` makes. The work itself goes on unheard:
 * its later failure is swallowed, and `abandon` gets a later result so that it can be released.
 */
export function withDeadline<T>(
  clock: Clock,
  milliseconds: number,
  work: Promise<T>,
  late: () => Error,
  abandon: (result: T) => void = () => undefined,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    let expired = false;
    const cancel = clock.after(milliseconds, () => {
      expired = true;
      reject(late());
    });
    work.then(
      (result) => {
        cancel();
        if (expired) abandon(result);
        else resolve(result);
      },
      (error: unknown) => {
        cancel();
        reject(error instanceof Error ? error : new Error(String(error)));
      },
    );
  });
}

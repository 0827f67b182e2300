import type { Clock } from '../../base/clock.ts';
import { limits } from '../limits.ts';

/** How many receipts may go: a burst, then one in a while. */
export class ReceiptPace {
  readonly #clock: Clock;
  #left: number = limits.receiptBurst;
  #countedAt: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#countedAt = clock.now();
  }

  /** False when none may go yet. */
  take(): boolean {
    this.#count();
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }

  /** From when one may go, milliseconds since 1970. */
  nextAt(): number {
    this.#count();
    return this.#left >= 1 ? this.#clock.now() : this.#countedAt + limits.receiptGapMilliseconds;
  }

  #count(): void {
    const now = this.#clock.now();
    const more = Math.floor((now - this.#countedAt) / limits.receiptGapMilliseconds);
    // A clock that was set back counts from where it is now.
    if (more < 0) this.#countedAt = now;
    if (more <= 0) return;
    this.#left = Math.min(limits.receiptBurst, this.#left + more);
    this.#countedAt += more * limits.receiptGapMilliseconds;
  }
}

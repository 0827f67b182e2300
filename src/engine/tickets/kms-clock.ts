import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import { limits } from '../limits.ts';

/**
 * The time by which keys are asked for and judged: this device's clock, corrected by what the KMS proves to have.
 * A KMS that says nothing changes nothing. Whatever happens to the device's clock, this time never lies before the last T that
 * the KMS proved: setting a clock back gives no ticket a longer life.
 */
export class KmsClock {
  readonly #clock: Clock;
  readonly #log: Logger;
  #offset = 0;
  #floor = -Infinity;

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Milliseconds since 1970. */
  now(): number {
    return Math.max(this.#clock.now() + this.#offset, this.#floor);
  }

  /** Milliseconds to add to this device's clock; positive when it is behind. */
  get offset(): number {
    return this.#offset;
  }

  /** `offset` where it is large enough to be told to the user. */
  get notable(): number | undefined {
    return Math.abs(this.#offset) > limits.clockReportMilliseconds ? this.#offset : undefined;
  }

  /** The last T that the KMS proved. */
  get floor(): number | undefined {
    return this.#floor === -Infinity ? undefined : this.#floor;
  }

  /** What an earlier run had learned: no time before this. */
  startFrom(floor: number): void {
    this.#floor = Math.max(this.#floor, floor);
  }

  /**
   * Takes T of an answer that is proven to be the KMS's and to this very question, so that it cannot be an old one.
   * It was made between sending and receiving: the smallest correction that puts it there is right.
   * @param sentAt by this device's clock, as `receivedAt`.
   */
  learn(told: number, sentAt: number, receivedAt: number): void {
    const before = this.notable;
    const earliest = Math.min(sentAt, receivedAt);
    this.#offset = told < earliest ? told - earliest : Math.max(0, told - receivedAt);
    this.#floor = told;
    if ((this.notable === undefined) !== (before === undefined)) {
      this.#log.log('warn', 'kms.clock-differs', { seconds: Math.round(this.#offset / 1000) });
    }
  }
}

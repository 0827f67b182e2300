import { randomU32, type Random } from '../../../base/random.ts';
import { BackOff } from '../back-off.ts';
import type { FlowRecoveryTimes } from '../types.ts';

export interface FlowBackOffOptions {
  readonly random: Random;
  readonly times: FlowRecoveryTimes;
  /** The network keeps flows (RFC 5626): its rules are followed then. */
  readonly isOutbound: () => boolean;
  /** No flow of the account works. */
  readonly haveAllFailed: () => boolean;
}

/**
 * When a flow is formed again (RFC 5626 clause 4.5): at once, spread over a second, where it was successful; after n failures between
 * half and all of base time times 2^n. A network that does not keep flows is asked with the shorter pauses of `BackOff`.
 */
export class FlowBackOff {
  readonly #options: FlowBackOffOptions;
  readonly #plain: BackOff;
  #failures = 0;

  constructor(options: FlowBackOffOptions) {
    this.#options = options;
    this.#plain = new BackOff(options.random);
  }

  /** Milliseconds from a failure to the next attempt. */
  next(): number {
    const { random, times, isOutbound, haveAllFailed } = this.#options;
    const failures = this.#failures++;
    if (!isOutbound() || failures === 0) return this.#plain.next();
    const base = haveAllFailed() ? times.allFailed : times.someFailed;
    const most = Math.min(times.longest, base * 2 ** Math.min(failures, 30));
    return Math.round(most * (0.5 + (0.5 * randomU32(random)) / 2 ** 32));
  }

  /** The flow was successful: registered, and its keep-alive answered where the server answers them. */
  reset(): void {
    this.#failures = 0;
    this.#plain.reset();
  }
}

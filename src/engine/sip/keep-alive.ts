import type { CancelTimer, Clock } from '../../base/clock.ts';
import { randomU32, type Random } from '../../base/random.ts';

export interface KeepAliveOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Milliseconds; each pause is between `shortestShare` of it (80 % when absent) and all of it. */
  readonly longestPause: number;
  readonly shortestShare?: number;
  /** Milliseconds to wait after each ping in turn: for the next one, and at last for giving up. */
  readonly waits: readonly number[];
  readonly ping: () => void;
  /** The server, which answered before, does not answer any more. */
  readonly dead: () => void;
}

/** RFC 5626 clauses 4.4 and 4.4.1. */
const recommendedShare = 0.8;

/**
 * Keep-alive of RFC 5626 clause 4.4, by whatever question and answer. A server that never answered is not held to it: many take the
 * question and say nothing.
 */
export class KeepAlive {
  readonly #options: KeepAliveOptions;
  #cancel: CancelTimer = () => undefined;
  #longestPause: number;
  #shortestShare: number;
  #serverAnswers = false;
  #isWaiting = false;
  #isStopped = false;

  constructor(options: KeepAliveOptions) {
    this.#options = options;
    this.#longestPause = options.longestPause;
    this.#shortestShare = options.shortestShare ?? recommendedShare;
    this.#schedule();
  }

  /** The server has answered before: whether it is there can be told. */
  get isProven(): boolean {
    return this.#serverAnswers;
  }

  /** A first answer is waited for. */
  get isUndecided(): boolean {
    return this.#isWaiting && !this.#serverAnswers;
  }

  /** How long the server waits for a keep-alive (Flow-Timer). */
  useLongestPause(milliseconds: number): void {
    this.#longestPause = milliseconds;
    this.#shortestShare = recommendedShare;
    if (!this.#isWaiting) this.#schedule();
  }

  pong(): void {
    if (!this.#isWaiting) return;
    this.#serverAnswers = true;
    this.#schedule();
  }

  /** Asks at once, as there is reason to doubt. */
  check(): void {
    if (this.#isWaiting || this.#isStopped) return;
    this.#cancel();
    this.#ask(0);
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  #schedule(): void {
    this.#cancel();
    this.#isWaiting = false;
    if (this.#isStopped) return;
    const { clock, random } = this.#options;
    const share = this.#shortestShare;
    const pause = this.#longestPause * (share + ((1 - share) * randomU32(random)) / 2 ** 32);
    this.#cancel = clock.after(pause, () => this.#ask(0));
  }

  #ask(turn: number): void {
    const { clock, waits, ping, dead } = this.#options;
    const wait = waits[turn];
    if (wait === undefined) {
      if (this.#serverAnswers) dead();
      else this.#schedule();
      return;
    }
    this.#isWaiting = true;
    this.#cancel = clock.after(wait, () => this.#ask(turn + 1));
    ping();
  }
}

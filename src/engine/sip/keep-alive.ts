import type { CancelTimer, Clock } from '../../base/clock.ts';

export interface KeepAliveOptions {
  readonly clock: Clock;
  /** Sends CRLF CRLF. */
  readonly ping: () => void;
  /** The server, which answered before, does not answer any more. */
  readonly dead: () => void;
}

/** RFC 5626 clause 4.4.1 suggests 95 to 120 s over TCP. */
const intervalMilliseconds = 95_000;
/** RFC 5626 clause 4.4.1: a flow without pong for 10 s is dead. */
const pongMilliseconds = 10_000;

/** CRLF keep-alive of RFC 5626 clause 3.5.1. A server that never answered a ping is not held to it. */
export class KeepAlive {
  readonly #options: KeepAliveOptions;
  #cancel: CancelTimer = () => undefined;
  #serverAnswers = false;
  #isWaiting = false;

  constructor(options: KeepAliveOptions) {
    this.#options = options;
    this.#schedule();
  }

  pong(): void {
    if (!this.#isWaiting) return;
    this.#serverAnswers = true;
    this.#schedule();
  }

  stop(): void {
    this.#cancel();
  }

  #schedule(): void {
    this.#cancel();
    this.#isWaiting = false;
    this.#cancel = this.#options.clock.after(intervalMilliseconds, () => this.#sendPing());
  }

  #sendPing(): void {
    this.#isWaiting = true;
    this.#cancel = this.#options.clock.after(pongMilliseconds, () => {
      if (this.#serverAnswers) this.#options.dead();
      else this.#schedule();
    });
    this.#options.ping();
  }
}

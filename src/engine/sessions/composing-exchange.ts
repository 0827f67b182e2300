import type { CancelTimer, Clock } from '../../base/clock.ts';
import { Composer, ComposingWatcher, type ComposingStatus } from '../../protocol/composing/index.ts';

export interface ComposingExchangeOptions {
  readonly clock: Clock;
  /** Sends a status message. */
  readonly tell: (status: ComposingStatus) => void;
  /** The peer begins to write, or is not writing any more. */
  readonly onChange: (isWriting: boolean) => void;
}

/** Who of the two is writing in a session (RFC 3994): the two machines and their time. */
export class ComposingExchange {
  readonly #options: ComposingExchangeOptions;
  readonly #composer = new Composer();
  readonly #watcher = new ComposingWatcher();
  #isPeerWriting = false;
  #cancelTimer: CancelTimer = () => undefined;

  constructor(options: ComposingExchangeOptions) {
    this.#options = options;
  }

  typed(): void {
    this.#tell(this.#composer.typed(this.#options.clock.now()));
  }

  /** What was written is gone without having been sent. */
  cleared(): void {
    this.#tell(this.#composer.cleared());
  }

  /** The message itself says that nothing is being written any more (RFC 3994 3.2). */
  sent(): void {
    this.#composer.sent();
    this.#arm();
  }

  told(status: ComposingStatus): void {
    this.#watcher.told(status, this.#options.clock.now());
    this.#watch();
  }

  messageArrived(): void {
    this.#watcher.messageArrived();
    this.#watch();
  }

  /** The session is over: nobody writes in it. */
  close(): void {
    this.#composer.sent();
    this.messageArrived();
    this.#cancelTimer();
  }

  #tell(status: ComposingStatus | undefined): void {
    if (status !== undefined) this.#options.tell(status);
    this.#arm();
  }

  #watch(): void {
    const isWriting = this.#watcher.isActive(this.#options.clock.now());
    this.#arm();
    if (isWriting === this.#isPeerWriting) return;
    this.#isPeerWriting = isWriting;
    this.#options.onChange(isWriting);
  }

  #arm(): void {
    this.#cancelTimer();
    const { clock } = this.#options;
    const now = clock.now();
    const own = this.#composer.deadline ?? Infinity;
    const peer = this.#isPeerWriting || this.#watcher.isActive(now) ? (this.#watcher.deadline ?? Infinity) : Infinity;
    const due = Math.min(own, peer);
    if (due === Infinity) return;
    this.#cancelTimer = clock.after(Math.max(0, due - now), () => {
      this.#watch();
      this.#tell(this.#composer.tick(clock.now()));
    });
  }
}

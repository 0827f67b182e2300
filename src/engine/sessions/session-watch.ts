import type { CancelTimer, Clock } from '../../base/clock.ts';
import { limits } from '../limits.ts';

/** What is watched: grows `heard`, and can be asked for a sign of life. */
export interface Watched {
  readonly heard: number;
  /** When it last grew, by the clock. */
  readonly heardAt: number;
  keepAlive(): void;
}

export interface SessionWatchOptions {
  readonly clock: Clock;
  readonly channel: Watched;
  /** Whether an answer to a message of ours is due. */
  readonly isWaiting: () => boolean;
  /** The far end says nothing. */
  readonly onSilent: () => void;
}

/**
 * Finds out that a connection is dead though no one closed it: a network that changed, a middlebox that forgot it, a
 * machine that is off. Asks after a time without a word (RFC 4975 section 7.1; the session itself waits for the answer),
 * and sooner while a message is under way.
 */
export class SessionWatch {
  readonly #options: SessionWatchOptions;
  #cancelKeepAlive: CancelTimer;
  #cancelSilence: CancelTimer | undefined;
  #isStopped = false;

  constructor(options: SessionWatchOptions) {
    this.#options = options;
    this.#cancelKeepAlive = this.#keepAlive();
  }

  /** A message was sent, and before it nothing was under way. */
  expectAnswer(): void {
    this.#listen(limits.sessionSilenceMilliseconds);
  }

  /** There is reason to doubt: asks now, and waits less long. */
  probe(): void {
    if (this.#isStopped) return;
    this.#listen(limits.sessionProbeMilliseconds);
    this.#options.channel.keepAlive();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelKeepAlive();
    this.#cancelSilence?.();
  }

  #keepAlive(): CancelTimer {
    const { clock, channel } = this.#options;
    const before = channel.heard;
    return clock.after(limits.sessionKeepAliveMilliseconds, () => {
      this.#cancelKeepAlive = this.#keepAlive();
      if (channel.heard === before) channel.keepAlive();
    });
  }

  #listen(milliseconds: number): void {
    if (this.#isStopped) return;
    const { clock, channel, isWaiting, onSilent } = this.#options;
    this.#cancelSilence?.();
    const before = channel.heard;
    this.#cancelSilence = clock.after(milliseconds, () => {
      if (channel.heard === before) onSilent();
      else if (isWaiting()) this.#listen(limits.sessionSilenceMilliseconds - (clock.now() - channel.heardAt));
    });
  }
}

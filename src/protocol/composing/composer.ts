import type { ComposingStatus } from './is-composing.ts';

/** RFC 3994 3.2: "the idle time-out ... a default of 15 seconds". */
export const idleMilliseconds = 15_000;
/** RFC 3994 3.2: active is repeated "not ... more frequently than once every 60 seconds". */
export const refreshSeconds = 60;
/** RFC 3994 3.3: without a refresh value the receiver waits 120 seconds. */
const defaultRefreshSeconds = 120;
/** A renewal that is sent when the time is over needs some to travel: without it the peer would seem to pause. */
export const renewalMilliseconds = 5_000;

/**
 * The composing user's side (RFC 3994 3.2):
 *
 *   idle --typed--> active --15 s without typing, or sent--> idle
 *
 * Each call returns the status message to send now, if any. `deadline` says when `tick` is due.
 */
export class Composer {
  #lastTyped: number | undefined;
  #lastTold = 0;

  get deadline(): number | undefined {
    if (this.#lastTyped === undefined) return undefined;
    return Math.min(this.#lastTyped + idleMilliseconds, this.#lastTold + refreshSeconds * 1000);
  }

  typed(now: number): ComposingStatus | undefined {
    const wasActive = this.#lastTyped !== undefined;
    this.#lastTyped = now;
    return wasActive && now < this.#lastTold + refreshSeconds * 1000 ? undefined : this.#tell(now);
  }

  /** The message was sent: the message itself says that nothing is being written any more. */
  sent(): void {
    this.#lastTyped = undefined;
  }

  /** What was written is gone without having been sent. */
  cleared(): ComposingStatus | undefined {
    if (this.#lastTyped === undefined) return undefined;
    this.#lastTyped = undefined;
    return { state: 'idle' };
  }

  tick(now: number): ComposingStatus | undefined {
    if (this.#lastTyped === undefined) return undefined;
    if (now >= this.#lastTyped + idleMilliseconds) return this.cleared();
    return now >= this.#lastTold + refreshSeconds * 1000 ? this.#tell(now) : undefined;
  }

  #tell(now: number): ComposingStatus {
    this.#lastTold = now;
    return { state: 'active', refresh: refreshSeconds };
  }
}

/** The watching side (RFC 3994 3.3): for how long the peer counts as writing. */
export class ComposingWatcher {
  #until: number | undefined;

  /** When the peer stops counting as writing, unless it says so again. */
  get deadline(): number | undefined {
    return this.#until;
  }

  isActive(now: number): boolean {
    return this.#until !== undefined && now < this.#until;
  }

  told({ state, refresh }: ComposingStatus, now: number): void {
    this.#until =
      state === 'active' ? now + (refresh ?? defaultRefreshSeconds) * 1000 + renewalMilliseconds : undefined;
  }

  /** A message of the peer arrived: it is not writing that one any more. */
  messageArrived(): void {
    this.#until = undefined;
  }
}

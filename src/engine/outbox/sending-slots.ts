import { limits } from '../limits.ts';
import type { OutboxLane } from './outbox-lane.ts';

/** Which conversations are sending, and which wait until one of these has done. */
export class SendingSlots {
  readonly #sending = new Set<OutboxLane>();
  readonly #waiting = new Set<OutboxLane>();

  /** False when there is none: the lane is pumped when there is. */
  take(lane: OutboxLane): boolean {
    if (this.#isFull()) {
      this.#waiting.add(lane);
      return false;
    }
    this.#sending.add(lane);
    return true;
  }

  free(lane: OutboxLane): void {
    this.#sending.delete(lane);
    // Some of them have nothing to send any more: the place is the next one's then.
    for (const next of this.#waiting) {
      if (this.#isFull()) return;
      this.#waiting.delete(next);
      next.pump();
    }
  }

  #isFull(): boolean {
    return this.#sending.size >= limits.outboxConversationsAtOnce;
  }
}

import { limits } from '../limits.ts';

export interface WaitingMessage {
  readonly id: string;
  readonly peer: string;
  readonly text: string;
  /** Order in which the user wrote them. */
  readonly sequence: number;
}

/** `waiting`: still no key to be had. `done`: sent or refused for good; it is not tried again. */
export type WaitingOutcome = 'waiting' | 'done';

/**
 * Messages that wait for the KMS. Each leaves once: it is taken out before it is known whether it arrived, unless it did not
 * leave at all. In a conversation one goes after the other, in the order in which they were written; conversations go side
 * by side, a few at a time.
 */
export class WaitingMessages {
  readonly #deliver: (message: WaitingMessage) => Promise<WaitingOutcome>;
  readonly #queues = new Map<string, WaitingMessage[]>();
  /** Conversations whose first message is on its way. */
  readonly #busy = new Set<string>();
  /** Conversations that may be tried. */
  readonly #due = new Set<string>();
  #size = 0;

  /** @param deliver never rejects. */
  constructor(deliver: (message: WaitingMessage) => Promise<WaitingOutcome>) {
    this.#deliver = deliver;
  }

  /** False when so many wait that one more is not taken. */
  get hasRoom(): boolean {
    return this.#size < limits.waitingMessages;
  }

  hasAny(peer: string): boolean {
    return this.#queues.has(peer);
  }

  add(message: WaitingMessage): void {
    const queue = this.#queues.get(message.peer) ?? [];
    const later = queue.findIndex(({ sequence }) => sequence > message.sequence);
    // What is on its way already stands first whatever comes.
    const index = later === 0 && this.#busy.has(message.peer) ? 1 : later;
    queue.splice(later < 0 ? queue.length : index, 0, message);
    this.#queues.set(message.peer, queue);
    this.#size++;
  }

  /** False when it does not wait (any more), also when it is on its way. */
  cancel(id: string): boolean {
    for (const [peer, queue] of this.#queues) {
      const index = queue.findIndex((message) => message.id === id);
      if (index < 0) continue;
      if (index === 0 && this.#busy.has(peer)) return false;
      this.#remove(peer, id);
      return true;
    }
    return false;
  }

  /** Takes out everything that is not on its way. */
  clear(): readonly WaitingMessage[] {
    const waiting = [...this.#queues.values()].flat();
    return waiting.filter(({ id }) => this.cancel(id));
  }

  /** There may be keys: tries every conversation. */
  release(): void {
    for (const peer of this.#queues.keys()) this.#due.add(peer);
    this.#pump();
  }

  #pump(): void {
    for (const peer of [...this.#due]) {
      if (this.#busy.size >= limits.waitingConversationsAtOnce) return;
      if (this.#busy.has(peer)) continue;
      this.#due.delete(peer);
      void this.#drain(peer);
    }
  }

  async #drain(peer: string): Promise<void> {
    this.#busy.add(peer);
    for (;;) {
      const first = this.#queues.get(peer)?.[0];
      if (first === undefined || (await this.#deliver(first)) === 'waiting') break;
      this.#remove(peer, first.id);
    }
    this.#busy.delete(peer);
    this.#pump();
  }

  #remove(peer: string, id: string): void {
    const rest = (this.#queues.get(peer) ?? []).filter((message) => message.id !== id);
    this.#size--;
    if (rest.length === 0) this.#queues.delete(peer);
    else this.#queues.set(peer, rest);
  }
}

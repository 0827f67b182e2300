import type { BookHistory, KeptMessage } from '../../src/node/bridge/conversation-book.ts';

/** What was said, in memory, as the screens' tests need it. */
export class ScriptedHistory implements BookHistory {
  /** In the order in which they came. */
  readonly #messages = new Map<string, KeptMessage>();
  /** Ids of what the user has looked at. */
  readonly #read = new Set<string>();

  put(message: KeptMessage): void {
    this.#messages.set(message.id, message);
  }

  get(id: string): KeptMessage | undefined {
    return this.#messages.get(id);
  }

  remove(id: string): KeptMessage | undefined {
    const message = this.#messages.get(id);
    this.#messages.delete(id);
    return message;
  }

  page(peer: string, limit: number, before?: string) {
    const all = this.#of(peer);
    const end = before === undefined ? all.length : all.findIndex(({ id }) => id === before);
    const start = Math.max(0, end - limit);
    return { messages: all.slice(start, end), hasMore: start > 0 };
  }

  conversations() {
    const peers = new Set([...this.#messages.values()].map(({ conversation }) => conversation));
    return [...peers].map((peer) => ({ peer }));
  }

  summary(peer: string) {
    const all = this.#of(peer);
    const unread = all.filter(({ id, direction }) => direction === 'in' && !this.#read.has(id)).length;
    return { lastMessage: all.at(-1), unread };
  }

  markRead(peer: string): void {
    for (const { id } of this.#of(peer)) this.#read.add(id);
  }

  #of(peer: string): KeptMessage[] {
    return [...this.#messages.values()].filter(({ conversation }) => conversation === peer);
  }
}

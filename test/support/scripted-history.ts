import type { SearchPage } from '../../src/contract/index.ts';
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

  pageAfter(peer: string, limit: number, after: string) {
    const all = this.#of(peer);
    const start = all.findIndex(({ id }) => id === after) + 1;
    return { messages: all.slice(start, start + limit), hasMore: start + limit < all.length };
  }

  removeConversation(peer: string): void {
    for (const { id } of this.#of(peer)) this.remove(id);
  }

  /** Words by their beginnings, without regard to case; newest first. */
  search(accountId: string, text: string, limit: number, after?: string): SearchPage {
    const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
    const found = [...this.#messages.values()].reverse().flatMap((message) => {
      const spans = [...message.text.matchAll(/[\p{L}\p{N}]+/gu)].map(({ 0: word, index }) => ({ word, index }));
      const hits = spans.filter(({ word }) => words.some((wanted) => word.toLowerCase().startsWith(wanted)));
      const isHit = words.every((wanted) => spans.some(({ word }) => word.toLowerCase().startsWith(wanted)));
      if (words.length === 0 || !isHit) return [];
      const matches = hits.map(({ word, index }) => ({ start: index, end: index + word.length }));
      return [{ message: { ...message, accountId }, matches }];
    });
    const start = Number(after ?? 0);
    const end = start + limit;
    return { hits: found.slice(start, end), ...(end < found.length ? { next: String(end) } : {}) };
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

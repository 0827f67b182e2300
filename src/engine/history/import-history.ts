import type { ChatMessage } from '../chat-message.ts';
import type { AccountStore, MessageStore } from '../store/index.ts';
import { HistoryReader, type HistoryHeader } from './history-reader.ts';

/** An account that messages may be imported into. */
export interface ImportTarget {
  readonly id: string;
  readonly identity: string;
  readonly store: Pick<AccountStore, 'messages' | 'transaction' | 'durable'>;
}

export interface HistoryImportOptions {
  readonly targets: readonly ImportTarget[];
  /**
   * A message of an export with everything that it may have and nothing else, or undefined for what is none. Nothing in an export is
   * trusted before.
   */
  readonly check: (value: unknown) => { readonly account: string; readonly message: ChatMessage } | undefined;
  /** Milliseconds since 1970. */
  readonly now: number;
}

export interface HistoryReport {
  readonly taken: number;
  /** They were there already. */
  readonly known: number;
  /** What was left out, by reason; each a sentence without its full stop. */
  readonly leftOut: Readonly<Record<string, number>>;
}

/** Messages that are written together. */
const batch = 500;

/**
 * Takes an export as it is read. Imported messages keep their ids and are marked: their level and evidence are the exporter's word, and
 * stand apart from what this device verified. What is there is neither doubled nor changed.
 */
export class HistoryImport {
  readonly #options: HistoryImportOptions;
  readonly #reader = new HistoryReader();
  readonly #leftOut = new Map<string, number>();
  /** Target by id of the exporter's account. */
  readonly #targets = new Map<string, ImportTarget>();
  /** Conversations into which something came, with whether all that came before was seen. */
  readonly #touched = new Map<ImportTarget, Map<string, boolean>>();
  #waiting: { readonly target: ImportTarget; readonly message: ChatMessage }[] = [];
  #taken = 0;
  #known = 0;

  constructor(options: HistoryImportOptions) {
    this.#options = options;
  }

  /** Resolves when what was read so far is durable, or will be with what follows. @throws ProtocolError for what is no export */
  async push(text: string): Promise<void> {
    for (const item of this.#reader.push(text)) {
      if (item.kind === 'header') this.#begin(item.header);
      else this.#message(item.value);
      if (this.#waiting.length >= batch) await this.#write();
    }
  }

  /** @throws ProtocolError for an export that was cut off: what came before is kept */
  async finish(): Promise<HistoryReport> {
    await this.#write();
    for (const [{ store }, peers] of this.#touched) {
      const { messages } = store;
      for (const [peer, wasRead] of peers) {
        store.transaction(() => {
          sortConversation(messages, peer);
          // What is imported is no news.
          if (wasRead) messages.markRead(peer);
        });
      }
      await store.durable();
    }
    this.#reader.end();
    return { taken: this.#taken, known: this.#known, leftOut: Object.fromEntries(this.#leftOut) };
  }

  #begin({ accounts }: HistoryHeader): void {
    for (const { id, identity } of accounts) {
      const target = this.#options.targets.find((each) => each.identity === identity);
      if (target !== undefined) this.#targets.set(id, target);
    }
  }

  #message(value: unknown): void {
    const checked = this.#options.check(value);
    if (checked === undefined) {
      this.#leave('It is no message of an export');
      return;
    }
    const target = this.#targets.get(checked.account);
    if (target === undefined) this.#leave('Its account is not on this device');
    // It was never sent, and this device owes nobody anything for it.
    else if (checked.message.state === 'queued') this.#leave('It had not been sent yet');
    else this.#waiting.push({ target, message: asImported(checked.message, this.#options.now) });
  }

  async #write(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const target of new Set(waiting.map((each) => each.target))) {
      const { store } = target;
      store.transaction(() => {
        for (const each of waiting) if (each.target === target) this.#add(target, each.message);
      });
      await store.durable();
    }
  }

  #add(target: ImportTarget, message: ChatMessage): void {
    const { messages } = target.store;
    const { id, conversation, direction, messageId } = message;
    const isKnown =
      messages.get(id) !== undefined ||
      (messageId !== undefined && messages.find(conversation, direction, messageId) !== undefined);
    if (isKnown) {
      this.#known += 1;
      return;
    }
    const touched = this.#touched.get(target) ?? new Map<string, boolean>();
    this.#touched.set(target, touched);
    if (!touched.has(conversation)) touched.set(conversation, (messages.summary(conversation)?.unread ?? 0) === 0);
    messages.add(message);
    this.#taken += 1;
  }

  #leave(why: string): void {
    this.#leftOut.set(why, (this.#leftOut.get(why) ?? 0) + 1);
  }
}

/** What was verified was verified elsewhere: here it counts for nothing. */
function asImported(message: ChatMessage, now: number): ChatMessage {
  const { level, evidence, imported, ...rest } = message;
  const claimed = imported ?? { level, ...(evidence === undefined ? {} : { evidence }) };
  return { ...rest, level: 'none', imported: { ...claimed, at: now } };
}

/** Puts a conversation in the order of time, from the first message on that is out of it. */
function sortConversation(messages: MessageStore, peer: string): void {
  const before = [...messages.all(peer)];
  const sorted = before.toSorted((one, other) => one.at - other.at);
  const first = before.findIndex((message, index) => message !== sorted[index]);
  if (first < 0) return;
  for (const { id } of before.slice(first)) messages.remove(id);
  for (const message of sorted.slice(first)) messages.add(message);
}

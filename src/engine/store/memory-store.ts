import { MemoryMessages } from './memory-messages.ts';
import {
  createMemoryNotes,
  createMemoryOutbox,
  createMemorySealed,
  createMemorySeen,
  type SeenEntry,
} from './memory-parts.ts';
import type { NoteStore } from './note-store.ts';
import type { OutboxEntry, OutboxStore } from './outbox-store.ts';
import type { SealedMessage, SealedStore } from './sealed-store.ts';
import { findWords, hasWords, searchWords } from './search-words.ts';
import type { SeenStore } from './seen-store.ts';
import { checkedHits } from './store-values.ts';
import type { AccountStore, SearchPage, SearchQuery, Store } from './store.ts';
import { UndoLog } from './undo-log.ts';

/** A store for one run: without a place to keep anything, nothing outlives the program. @param reason for the user */
export function createMemoryStore({ reason }: { readonly reason: string }): Store {
  const undo = new UndoLog();
  const accounts = new Map<string, MemoryAccount>();
  let sequence = 0;
  return {
    keeping: { kept: 'memory', reason },
    account(id) {
      const account = accounts.get(id) ?? new MemoryAccount(undo, () => ++sequence);
      accounts.set(id, account);
      return account;
    },
    accounts: () => [...accounts.keys()].sort(),
    notes: createMemoryNotes(new Map(), undo),
    search: (query) => search(accounts, query),
    removeAccount: (id) => accounts.get(id)?.clear(),
    transaction: (work) => undo.transaction(work),
    durable: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}

class MemoryAccount implements AccountStore {
  readonly messages: MemoryMessages;
  readonly outbox: OutboxStore;
  readonly seen: SeenStore;
  readonly sealed: SealedStore;
  readonly notes: NoteStore;
  readonly #undo: UndoLog;
  readonly #outbox = new Map<string, OutboxEntry>();
  readonly #highest = new Map<string, number>();
  readonly #seen = new Map<string, SeenEntry>();
  readonly #seenOfSender = new Map<string, number>();
  readonly #sealed = new Map<string, SealedMessage>();
  readonly #notes = new Map<string, Map<string, string>>();

  constructor(undo: UndoLog, nextSequence: () => number) {
    this.#undo = undo;
    this.messages = new MemoryMessages(undo, nextSequence, (id) => this.#outbox.has(id));
    this.outbox = createMemoryOutbox(this.#outbox, this.#highest, undo);
    this.seen = createMemorySeen(this.#seen, this.#seenOfSender, undo);
    this.sealed = createMemorySealed(this.#sealed, undo);
    this.notes = createMemoryNotes(this.#notes, undo);
  }

  transaction<Result>(work: () => Result): Result {
    return this.#undo.transaction(work);
  }

  durable(): Promise<void> {
    return Promise.resolve();
  }

  clear(): void {
    for (const { peer } of this.messages.conversations()) this.messages.removeConversation(peer);
    this.#empty(this.#outbox);
    this.#empty(this.#highest);
    this.#empty(this.#seen);
    this.#empty(this.#seenOfSender);
    this.#empty(this.#sealed);
    this.#empty(this.#notes);
  }

  #empty<Value>(entries: Map<string, Value>): void {
    for (const key of [...entries.keys()]) this.#undo.put(entries, key, undefined);
  }
}

function search(accounts: ReadonlyMap<string, MemoryAccount>, query: SearchQuery): SearchPage {
  const limit = checkedHits(query.limit);
  const words = searchWords(query.text);
  if (words.length === 0) return { hits: [] };
  const before = query.after === undefined ? Infinity : Number(query.after);
  const found = [...accounts]
    .filter(([id]) => query.accountId === undefined || id === query.accountId)
    .flatMap(([accountId, { messages }]) => messages.kept(query.peer).map((kept) => ({ accountId, ...kept })))
    .filter(({ sequence, message }) => sequence < before && hasWords(message.text, words))
    .sort((one, other) => other.sequence - one.sequence);
  const shown = found.slice(0, limit);
  const last = shown.at(-1);
  return {
    hits: shown.map(({ accountId, message }) => ({ accountId, message, matches: findWords(message.text, words) })),
    ...(found.length > limit && last !== undefined ? { next: String(last.sequence) } : {}),
  };
}

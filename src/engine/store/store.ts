import type { ChatMessage } from '../chat-message.ts';
import type { MessageStore } from './message-store.ts';
import type { NoteStore } from './note-store.ts';
import type { OutboxStore } from './outbox-store.ts';
import type { SealedStore } from './sealed-store.ts';
import type { SeenStore } from './seen-store.ts';

/**
 * What outlives the program: everything of one profile, in one place. Reads and writes are synchronous, and a write is visible to the
 * reads after it at once; it is durable when `durable` says so. Writes of the same moment are made durable together.
 */
export interface Store {
  readonly keeping: StoreKeeping;
  /** The part of one account; the same object for the same id. */
  account(id: string): AccountStore;
  /** Ids of the accounts of which something may be kept. */
  accounts(): readonly string[];
  /** What belongs to no account: contacts, sightings of keys, settings. */
  readonly notes: NoteStore;
  /** Full text over the messages of all accounts, newest first. */
  search(query: SearchQuery): SearchPage;
  /** Removes all of an account, beyond recovery where the storage can do so. */
  removeAccount(id: string): void;
  /** All or nothing: what `work` wrote is undone when it throws. Calls may be nested; `work` must not wait. */
  transaction<Result>(work: () => Result): Result;
  /** Resolves when everything written so far survives the end of the process and of the machine's power. @throws StoreError */
  durable(): Promise<void>;
  /** Makes durable, then closes. Never rejects. */
  close(): Promise<void>;
}

export interface AccountStore {
  readonly messages: MessageStore;
  readonly outbox: OutboxStore;
  readonly seen: SeenStore;
  readonly sealed: SealedStore;
  /** Policies, consent, what peers can do, receipts that are owed, files: by kind and key. */
  readonly notes: NoteStore;
  transaction<Result>(work: () => Result): Result;
  durable(): Promise<void>;
}

/** Where and how it is kept. `reason`: a sentence without its full stop, for the user. */
export type StoreKeeping =
  { readonly kept: 'encrypted'; readonly octets: number } | { readonly kept: 'memory'; readonly reason: string };

export interface SearchQuery {
  /**
   * Words, each of which a message must have: as a word or as the beginning of one, without regard to case and diacritics. Signs mean
   * nothing; without a word there are no hits.
   */
  readonly text: string;
  readonly accountId?: string;
  readonly peer?: string;
  /** 1 to 200. */
  readonly limit: number;
  /** `next` of the page before. */
  readonly after?: string;
}

export interface SearchHit {
  readonly accountId: string;
  readonly message: ChatMessage;
  /** Where the words that were found are in `message.text`, each to its end, in UTF-16 units, in order and apart. */
  readonly matches: readonly { readonly start: number; readonly end: number }[];
}

export interface SearchPage {
  readonly hits: readonly SearchHit[];
  /** There is more: for `after` of the next query. */
  readonly next?: string;
}

/**
 * `full`: no room; `read-only`: it can be read only; `damaged`; `in-use`: by another process; `wrong-key`: the passphrase or key is not the
 * one it was made with; `key-missing`: none was given; `newer`: made by a newer version of this program; `failed`: otherwise.
 */
export type StoreErrorCode =
  'full' | 'read-only' | 'damaged' | 'in-use' | 'wrong-key' | 'key-missing' | 'newer' | 'failed';

/** The storage failed. The text names neither contents nor keys. */
export class StoreError extends Error {
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StoreError';
    this.code = code;
  }
}

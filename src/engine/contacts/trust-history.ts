import type { Clock } from '../../base/clock.ts';
import { describeError } from '../../base/errors.ts';
import { Events, type Unsubscribe } from '../../base/events.ts';
import type { Logger } from '../../base/log.ts';
import { tryKmsUserIdentity } from '../../protocol/sip/identities.ts';
import type { Account } from '../account.ts';
import type { ChatMessage } from '../chat-message.ts';
import { limits } from '../limits.ts';
import type { SessionChange } from '../sessions/session-book.ts';
import type { NoteStore } from '../store/index.ts';
import type { Contact } from './contact.ts';
import type { ContactBook } from './contact-book.ts';
import { newTrustRecord, observe, readTrustRecord, type Observation, type TrustRecord } from './trust-record.ts';

export interface TrustHistoryOptions {
  /** Those of the store, not of an account. */
  readonly notes: NoteStore;
  readonly book: ContactBook;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Something else vouches for a peer than before: a warning, and no refusal. */
export interface TrustChange {
  readonly accountId: string;
  readonly peer: string;
  /** Where the peer is in the address book. */
  readonly contact?: { readonly id: string; readonly name: string };
  readonly what: 'kms' | 'fingerprint';
  readonly value: string;
  /** What was seen before, the latest first. */
  readonly before: readonly string[];
  /** Milliseconds since 1970. */
  readonly at: number;
  /** What happened, what it means, what can be done. */
  readonly explanation: string;
}

export type ObservedAccount = Pick<Account, 'config' | 'events'>;

const kind = 'trust';
/** Ids of messages that were counted: a message changes its state several times. */
const countedMessages = 2_000;

/**
 * What vouched for each peer, from the evidence of every message and session: names and fingerprints, when and how often. A new key
 * management server or a new certificate is told.
 */
export class TrustHistory {
  readonly events: Events<{ readonly trustChanged: TrustChange }>;
  readonly #options: TrustHistoryOptions;
  readonly #attached = new Map<string, readonly Unsubscribe[]>();
  readonly #counted = new Set<string>();
  /** When each record was changed last, to drop the oldest of strangers when there are too many. */
  readonly #lastAt = new Map<string, number>();

  constructor(options: TrustHistoryOptions) {
    const { log, notes } = options;
    this.#options = options;
    this.events = new Events((error) => log.log('error', 'trust.listener-failed', { reason: describeError(error) }));
    for (const { key, value } of notes.list(kind)) this.#lastAt.set(key, readTrustRecord(value)?.lastAt ?? 0);
  }

  attach(account: ObservedAccount): void {
    const { id } = account.config;
    this.detach(id);
    this.#attached.set(id, [
      account.events.on('messageReceived', (message) => this.#message(id, message)),
      account.events.on('messageState', (message) => this.#message(id, message)),
      account.events.on('session', (change) => this.#session(id, change)),
    ]);
  }

  detach(accountId: string): void {
    for (const unsubscribe of this.#attached.get(accountId) ?? []) unsubscribe();
    this.#attached.delete(accountId);
  }

  /** Of one peer, an entry for each account. */
  of(peer: string): readonly TrustRecord[] {
    const canonical = tryKmsUserIdentity(peer) ?? peer;
    return this.#options.notes.list(kind, `${canonical} `).flatMap(({ value }) => readTrustRecord(value) ?? []);
  }

  /** Of all addresses of a contact, the latest first. */
  ofContact({ addresses }: Contact): readonly TrustRecord[] {
    return addresses.flatMap((address) => this.of(address)).sort((one, other) => other.lastAt - one.lastAt);
  }

  /** The user wants to begin anew with this peer: nothing that comes next is new. Returns how many entries went. */
  forget(peer: string): number {
    const records = this.of(peer);
    for (const record of records) this.#drop(keyOf(record));
    return records.length;
  }

  /** All of an account that is removed. */
  forgetAccount(accountId: string): void {
    for (const key of [...this.#lastAt.keys()]) if (key.endsWith(` ${accountId}`)) this.#drop(key);
  }

  #message(accountId: string, message: ChatMessage): void {
    const { id, conversation, direction, state, level, evidence } = message;
    const hasArrived = direction === 'in' ? state === 'received' : state !== 'queued' && state !== 'sent';
    if (!hasArrived || evidence === undefined || message.recipients !== undefined) return;
    const counted = `${accountId} ${id}`;
    if (this.#counted.has(counted)) return;
    this.#counted.add(counted);
    const [oldest] = this.#counted;
    if (this.#counted.size > countedMessages && oldest !== undefined) this.#counted.delete(oldest);
    this.#observe(accountId, conversation, { way: direction, at: this.#options.clock.now(), level, evidence });
  }

  #session(accountId: string, { change, session }: SessionChange): void {
    if (change !== 'opened') return;
    const { peer, direction, level, evidence } = session;
    this.#observe(accountId, peer, { way: direction, at: this.#options.clock.now(), level, evidence });
  }

  #observe(accountId: string, peer: string, observation: Observation): void {
    const { notes, book } = this.#options;
    const key = keyOf({ peer, accountId });
    const kept = notes.get(kind, key);
    const before = kept === undefined ? undefined : readTrustRecord(kept);
    const { record, changes } = observe(before ?? newTrustRecord(accountId, peer, observation.at), observation);
    if (before === undefined) this.#makeRoom();
    notes.set(kind, key, record);
    this.#lastAt.set(key, record.lastAt);
    const contact = book.find(peer);
    const shown = contact === undefined ? {} : { contact: { id: contact.id, name: contact.name } };
    for (const { kind: changed, value, before: earlier } of changes) {
      const what = changed === 'kms' ? 'kms' : 'fingerprint';
      const explanation = explain(what, contact?.name ?? peer, value, earlier[0] ?? '');
      const { at } = observation;
      this.events.emit('trustChanged', { accountId, peer, ...shown, what, value, before: earlier, at, explanation });
    }
  }

  /** Contacts stay; of strangers those that were not heard of for longest go, several at once. */
  #makeRoom(): void {
    if (this.#lastAt.size < limits.trustHistories) return;
    const { book } = this.#options;
    const oldest = [...this.#lastAt].sort(([, one], [, other]) => one - other).map(([key]) => key);
    const strangers = oldest.filter((key) => book.find(key.slice(0, key.indexOf(' '))) === undefined);
    const gone = strangers.length > 0 ? strangers : oldest;
    for (const key of gone.slice(0, Math.ceil(limits.trustHistories / 50))) this.#drop(key);
  }

  #drop(key: string): void {
    this.#options.notes.delete(kind, key);
    this.#lastAt.delete(key);
  }
}

/** No address has a space in it. */
function keyOf({ peer, accountId }: Pick<TrustRecord, 'peer' | 'accountId'>): string {
  return `${peer} ${accountId}`;
}

function explain(what: TrustChange['what'], who: string, value: string, before: string): string {
  if (what === 'kms') {
    return (
      `Another key management server than before vouches for ${who}: ${value}, and not ${before}. ` +
      'The protection is as good as this server is honest. ' +
      'Ask them in another way whether their operator changed it, before you trust what you read.'
    );
  }
  return (
    `A device of ${who} shows another certificate than before: ${value}. ` +
    'It may be a new device or a new installation; it may also be somebody in between. ' +
    'Compare the fingerprint with them in another way, or use end-to-end protection.'
  );
}

import type { Clock } from '../../base/clock.ts';
import { describeError } from '../../base/errors.ts';
import { Events } from '../../base/events.ts';
import type { Logger } from '../../base/log.ts';
import { randomId, type Random } from '../../base/random.ts';
import { tryKmsUserIdentity } from '../../protocol/sip/identities.ts';
import { limits } from '../limits.ts';
import type { NoteStore } from '../store/index.ts';
import { checkDraft, type Contact, type ContactDraft, type ContactProblem } from './contact.ts';
import { readKeptContact } from './kept-contact.ts';

export interface ContactBookOptions {
  /** Those of the store, not of an account. */
  readonly notes: NoteStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

export type ContactChange =
  /** `before` is absent for a new one. */
  | { readonly change: 'put'; readonly contact: Contact; readonly before?: Contact }
  | { readonly change: 'removed'; readonly contact: Contact };

export type PutOutcome =
  | { readonly outcome: 'kept'; readonly contact: Contact }
  | { readonly outcome: 'refused'; readonly problem: ContactProblem };

/** Contacts that look like one and the same, and by what. */
export interface Duplicates {
  readonly by: 'name' | 'uid';
  readonly contacts: readonly Contact[];
}

const kind = 'contact';

/** The one address book of this program, whatever its accounts. An address belongs to one contact. */
export class ContactBook {
  readonly events: Events<{ readonly contact: ContactChange }>;
  readonly #options: ContactBookOptions;
  readonly #contacts = new Map<string, Contact>();
  /** Id by address. */
  readonly #byAddress = new Map<string, string>();
  readonly #byUid = new Map<string, string>();

  constructor(options: ContactBookOptions) {
    const { log, notes } = options;
    this.#options = options;
    this.events = new Events((error) => log.log('error', 'contacts.listener-failed', { reason: describeError(error) }));
    for (const { key, value } of notes.list(kind)) {
      const contact = readKeptContact(key, value);
      if (contact === undefined) log.log('warn', 'contacts.unreadable', { contact: key });
      else this.#index(contact);
    }
  }

  get size(): number {
    return this.#contacts.size;
  }

  /** By name. */
  list(): readonly Contact[] {
    return [...this.#contacts.values()].sort(
      (one, other) => one.name.localeCompare(other.name) || (one.id < other.id ? -1 : 1),
    );
  }

  get(id: string): Contact | undefined {
    return this.#contacts.get(id);
  }

  /** By any of its addresses, in whatever form it is written. */
  find(address: string): Contact | undefined {
    const canonical = tryKmsUserIdentity(address);
    return canonical === undefined ? undefined : this.#contacts.get(this.#byAddress.get(canonical) ?? '');
  }

  findByUid(uid: string): Contact | undefined {
    return this.#contacts.get(this.#byUid.get(uid) ?? '');
  }

  /** Adds one, or replaces the one of this id. */
  put(draft: ContactDraft): PutOutcome {
    const result = checkDraft(draft);
    if ('problem' in result) return { outcome: 'refused', problem: result.problem };
    const before = draft.id === undefined ? undefined : this.#contacts.get(draft.id);
    if (draft.id !== undefined && before === undefined) {
      return refused({ field: 'id', explanation: 'There is no such contact.' });
    }
    if (before === undefined && this.#contacts.size >= limits.contacts) {
      return refused({ field: 'book', explanation: `The address book is full: ${limits.contacts} contacts.` });
    }
    const { checked } = result;
    const other = this.#ownerOf(checked.addresses, before?.id);
    if (other !== undefined) {
      return refused({ field: 'addresses', explanation: 'Another contact has this address.', other });
    }
    const { clock, random } = this.#options;
    const now = clock.now();
    const id = before?.id ?? randomId(random, 12);
    const contact: Contact = { ...checked, id, createdAt: before?.createdAt ?? now, changedAt: now };
    this.#keep(contact, before);
    return { outcome: 'kept', contact };
  }

  remove(id: string): Contact | undefined {
    const contact = this.#contacts.get(id);
    if (contact === undefined) return undefined;
    this.#forget(contact);
    this.#options.notes.delete(kind, id);
    this.events.emit('contact', { change: 'removed', contact });
    return contact;
  }

  /**
   * Makes one contact of several: the first keeps its name and picture, gets what it lacks from the others, and all their addresses.
   * Where they have different policies the strictest counts. Those merged into it go.
   */
  merge(ids: readonly string[]): PutOutcome {
    const wanted = new Set(ids);
    const [first, ...others] = [...wanted].flatMap((id) => this.#contacts.get(id) ?? []);
    if (first === undefined || others.length === 0 || others.length + 1 < wanted.size) {
      return refused({ field: 'id', explanation: 'Two contacts at least are needed to make one of them.' });
    }
    const draft = others.reduce(joined, first);
    const result = checkDraft(draft);
    if ('problem' in result) return refused(result.problem);
    for (const { id } of others) this.remove(id);
    return this.put(draft);
  }

  /** Groups of contacts that seem to be one: the same name, whatever its case and accents, or the same UID. */
  duplicates(): readonly Duplicates[] {
    const groups = new Map<string, { readonly by: Duplicates['by']; readonly contacts: Contact[] }>();
    const add = (by: Duplicates['by'], key: string, contact: Contact): void => {
      const group = groups.get(`${by} ${key}`) ?? { by, contacts: [] };
      group.contacts.push(contact);
      groups.set(`${by} ${key}`, group);
    };
    for (const contact of this.list()) {
      add('name', plain(contact.name), contact);
      if (contact.uid !== undefined) add('uid', contact.uid, contact);
    }
    return [...groups.values()].filter(({ contacts }) => contacts.length > 1);
  }

  #ownerOf(addresses: readonly string[], except: string | undefined): string | undefined {
    return addresses.map((address) => this.#byAddress.get(address)).find((id) => id !== undefined && id !== except);
  }

  #keep(contact: Contact, before: Contact | undefined): void {
    this.#options.notes.set(kind, contact.id, { ...contact });
    if (before !== undefined) this.#forget(before);
    this.#index(contact);
    this.events.emit('contact', { change: 'put', contact, ...(before === undefined ? {} : { before }) });
  }

  #index(contact: Contact): void {
    this.#contacts.set(contact.id, contact);
    for (const address of contact.addresses) this.#byAddress.set(address, contact.id);
    if (contact.uid !== undefined) this.#byUid.set(contact.uid, contact.id);
  }

  #forget(contact: Contact): void {
    this.#contacts.delete(contact.id);
    for (const address of contact.addresses) this.#byAddress.delete(address);
    if (contact.uid !== undefined) this.#byUid.delete(contact.uid);
  }
}

/** What `other` adds to `one`. */
function joined(one: Contact, other: Contact): Contact {
  const notes = [one.note, other.note].filter((note) => note !== undefined && note !== '');
  const policy = stricter(one.policy, other.policy);
  const accountPolicies = { ...one.accountPolicies };
  for (const [account, theirs] of Object.entries(other.accountPolicies ?? {})) {
    accountPolicies[account] = stricter(accountPolicies[account], theirs) ?? theirs;
  }
  return {
    ...other,
    ...one,
    addresses: [...one.addresses, ...other.addresses],
    ...(notes.length === 0 ? {} : { note: [...new Set(notes)].join('\n') }),
    ...(policy === undefined ? {} : { policy }),
    ...(Object.keys(accountPolicies).length === 0 ? {} : { accountPolicies }),
    receipts: { ...other.receipts, ...one.receipts },
  };
}

function stricter(one: Contact['policy'], other: Contact['policy']): Contact['policy'] {
  const order: readonly Contact['policy'][] = ['require-e2e', 'require-e2ae', 'prefer-e2e', 'any', undefined];
  return order.indexOf(one) <= order.indexOf(other) ? one : other;
}

function plain(name: string): string {
  return name.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
}

function refused(problem: ContactProblem): { readonly outcome: 'refused'; readonly problem: ContactProblem } {
  return { outcome: 'refused', problem };
}

import { fromUtf8, utf8 } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import type { Unsubscribe } from '../../base/events.ts';
import type { CardReport, CheckedInput, ContactView, PresenceViewOfPeer } from '../../contract/index.ts';
import type { Account } from '../../engine/account.ts';
import { contactsToVCards, importVCards, type Contact, type ContactDraft } from '../../engine/contacts/index.ts';
import type { HostProfile } from './host-profile.ts';
import { BridgeFault, type HostEvent } from './host.ts';

export type AccountWithReceipts = Pick<Account, 'config' | 'setContactReceipts'>;

export interface PeopleDeskParts {
  readonly people: HostProfile['people'];
  readonly accounts: readonly AccountWithReceipts[];
  readonly emit: (event: HostEvent) => void;
}

/** The one address book of the screens, what vouched for those in it, and presence. */
export class PeopleDesk {
  readonly #parts: PeopleDeskParts;
  readonly #subscriptions: readonly Unsubscribe[];

  constructor(parts: PeopleDeskParts) {
    this.#parts = parts;
    const { people, accounts, emit } = parts;
    this.#subscriptions = [
      people.contacts.events.on('contact', ({ change, contact }) => {
        this.#applyReceipts(contact, change === 'removed');
        emit({ event: 'contacts', contacts: this.contacts() });
        if (change === 'put') for (const address of contact.addresses) this.#watch(address);
      }),
      ...accounts.flatMap(({ config: { id } }) => {
        const presence = people.presence(id);
        if (presence === undefined) return [];
        return [
          presence.events.on('presence', (view) => emit({ event: 'presence', presence: { ...view, accountId: id } })),
        ];
      }),
    ];
  }

  close(): void {
    for (const unsubscribe of this.#subscriptions) unsubscribe();
  }

  contacts(): readonly ContactView[] {
    return this.#parts.people.contacts.list();
  }

  presence(): readonly PresenceViewOfPeer[] {
    const { people, accounts } = this.#parts;
    return accounts.flatMap(({ config: { id: accountId } }) =>
      (people.presence(accountId)?.views() ?? []).map((view) => ({ ...view, accountId })),
    );
  }

  put({ contact }: CheckedInput<'putContact'>) {
    const { contacts } = this.#parts.people;
    const known = contact.id === undefined ? undefined : contacts.get(contact.id);
    if (contact.id !== undefined && known === undefined) throw noSuchContact();
    // What the screens do not show stays.
    const { uid, photo, accountPolicies } = known ?? {};
    const hidden = known?.policy === contact.policy ? { uid, photo, accountPolicies } : { uid, photo };
    const result = contacts.put(withoutUndefined({ ...hidden, ...contact }) as ContactDraft);
    if (result.outcome === 'kept') return result;
    const { field, explanation, other } = result.problem;
    const name = other === undefined ? undefined : contacts.get(other)?.name;
    return {
      outcome: 'refused' as const,
      field,
      explanation: name === undefined ? explanation : `${explanation} It is ${name}.`,
    };
  }

  remove(id: string): void {
    if (this.#parts.people.contacts.remove(id) === undefined) throw noSuchContact();
  }

  import(cards: string): CardReport {
    try {
      const { cards: outcomes, problems } = importVCards(this.#parts.people.contacts, utf8(cards));
      const count = (outcome: string) => outcomes.filter((card) => card.outcome === outcome).length;
      const refused = outcomes.flatMap(({ line, outcome, why }) =>
        outcome === 'refused' ? [{ line, why: why ?? 'It has no address' }] : [],
      );
      return {
        added: count('added'),
        updated: count('updated'),
        unchanged: count('unchanged'),
        refused: [...refused, ...problems.map(({ line, problem }) => ({ line, why: problem }))],
      };
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      throw new BridgeFault('invalid-input', 'This is no file of contacts (vCard).');
    }
  }

  export(): string {
    const { contacts } = this.#parts.people;
    return fromUtf8(contactsToVCards(contacts.list()));
  }

  trust(address: string) {
    return { records: [...this.#parts.people.trust.of(address)] };
  }

  setPresence({ accountId, watches }: CheckedInput<'setPresence'>): void {
    const presence = this.#parts.people.presence(accountId);
    if (presence === undefined) throw new BridgeFault('unavailable', 'There is no presence for this account.');
    presence.configure({ watches });
    if (watches) for (const { addresses } of this.contacts()) for (const address of addresses) this.#watch(address);
  }

  #watch(address: string): void {
    for (const { config } of this.#parts.accounts) {
      const presence = this.#parts.people.presence(config.id);
      if (presence?.own().watches === true) presence.watch(address);
    }
  }

  /** What a contact is told counts for all its addresses in every account. */
  #applyReceipts({ addresses, receipts }: Contact, isGone: boolean): void {
    for (const account of this.#parts.accounts) {
      for (const address of addresses) account.setContactReceipts(address, isGone ? undefined : receipts);
    }
  }
}

function noSuchContact(): BridgeFault {
  return new BridgeFault('no-such-contact', 'This contact is no longer there.');
}

function withoutUndefined(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined));
}

import { tryKmsUserIdentity } from '../protocol/sip/identities.ts';
import type { Account } from './account.ts';
import { ContactBook, ContactPolicyLink, TrustHistory } from './contacts/index.ts';
import type { EnginePorts } from './ports.ts';
import { AccountPresence } from './presence/index.ts';
import type { SipUserAgent } from './sip/index.ts';
import type { Store } from './store/index.ts';

const known = new WeakMap<Store, People>();

/** Who the user talks to: the address book, what vouched for each peer, and presence; the one place that listens to all accounts for it. */
export class People {
  readonly contacts: ContactBook;
  readonly trust: TrustHistory;
  readonly #ports: EnginePorts;
  readonly #store: Store;
  readonly #policies: ContactPolicyLink;
  readonly #presence = new Map<string, AccountPresence>();

  /** The same for every engine over one store: the address book is one. */
  static of(ports: EnginePorts, store: Store): People {
    const people = known.get(store) ?? new People(ports, store);
    known.set(store, people);
    return people;
  }

  private constructor(ports: EnginePorts, store: Store) {
    const { clock, random, log } = ports;
    const { notes } = store;
    this.#ports = ports;
    this.#store = store;
    this.contacts = new ContactBook({ notes, clock, random, log });
    this.trust = new TrustHistory({ notes, book: this.contacts, clock, log });
    this.#policies = new ContactPolicyLink(this.contacts);
  }

  attach(account: Account, userAgent: SipUserAgent): void {
    const { id, identity } = account.config;
    this.#policies.attach(account);
    this.trust.attach(account);
    const self = tryKmsUserIdentity(identity) ?? identity;
    const { notes } = this.#store.account(id);
    this.#presence.set(id, new AccountPresence({ ports: this.#ports, userAgent, self, notes }));
  }

  /** Undefined for an account that is not there. */
  presence(accountId: string): AccountPresence | undefined {
    return this.#presence.get(accountId);
  }

  /** The account is about to end, while it can still tell the network. Never rejects. */
  async detach(accountId: string): Promise<void> {
    this.#policies.detach(accountId);
    this.trust.detach(accountId);
    const presence = this.#presence.get(accountId);
    this.#presence.delete(accountId);
    await presence?.stop();
  }
}

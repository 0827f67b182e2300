import type { Policy } from '../../base/protection-level.ts';
import type { Unsubscribe } from '../../base/events.ts';
import type { Account } from '../account.ts';
import { policyOf, type Contact } from './contact.ts';
import type { ContactBook, ContactChange } from './contact-book.ts';

/** What is needed of an account; its own policies stay the only ones by which anything is judged. */
export type AccountWithPolicies = Pick<
  Account,
  'config' | 'events' | 'contactPolicy' | 'setContactPolicy' | 'setContactReceipts'
>;

/**
 * Brings the policy and the receipts of a contact to all its addresses in every account, and takes back what is set there for one address: the contact
 * and its addresses never differ.
 */
export class ContactPolicyLink {
  readonly #book: ContactBook;
  readonly #accounts = new Map<string, { readonly account: AccountWithPolicies; readonly end: Unsubscribe }>();
  #isApplying = false;

  constructor(book: ContactBook) {
    this.#book = book;
    book.events.on('contact', (change) => this.#contactChanged(change));
  }

  attach(account: AccountWithPolicies): void {
    const end = account.events.on('contactPolicy', ({ peer, policy }) => this.#setInAccount(account, peer, policy));
    this.#accounts.set(account.config.id, { account, end });
    for (const contact of this.#book.list()) {
      this.#apply(account, undefined, contact);
      applyReceipts(account, undefined, contact);
    }
  }

  detach(accountId: string): void {
    this.#accounts.get(accountId)?.end();
    this.#accounts.delete(accountId);
  }

  #contactChanged(change: ContactChange): void {
    const before = change.change === 'put' ? change.before : change.contact;
    const after = change.change === 'put' ? change.contact : undefined;
    for (const { account } of this.#accounts.values()) {
      this.#apply(account, before, after);
      applyReceipts(account, before, after);
    }
  }

  /** A new policy ends consent and sessions: it is set only where it differs from the one that is there. */
  #apply(account: AccountWithPolicies, before: Contact | undefined, after: Contact | undefined): void {
    const { id } = account.config;
    const policyBefore = before && policyOf(before, id);
    const policyAfter = after && policyOf(after, id);
    this.#isApplying = true;
    try {
      if (policyBefore !== undefined) {
        for (const address of before?.addresses ?? []) {
          const isStillSet = policyAfter !== undefined && after?.addresses.includes(address) === true;
          if (!isStillSet) account.setContactPolicy(address, undefined);
        }
      }
      if (policyAfter === undefined) return;
      for (const address of after?.addresses ?? []) {
        if (account.contactPolicy(address) !== policyAfter) account.setContactPolicy(address, policyAfter);
      }
    } finally {
      this.#isApplying = false;
    }
  }

  /** The user set a policy for one address of a contact: it counts for the contact, in this account. */
  #setInAccount({ config }: AccountWithPolicies, peer: string, policy: Policy | undefined): void {
    const contact = this.#isApplying ? undefined : this.#book.find(peer);
    if (contact === undefined || policyOf(contact, config.id) === policy) return;
    const others = Object.fromEntries(
      Object.entries(contact.accountPolicies ?? {}).filter(([account]) => account !== config.id),
    );
    if (policy !== undefined) {
      this.#book.put({ ...contact, accountPolicies: { ...others, [config.id]: policy } });
      return;
    }
    // What no account of its own has any more is not to come back by the policy for all accounts.
    const { policy: forAll, ...rest } = contact;
    const spread = Object.fromEntries(
      [...this.#accounts.keys()].flatMap((id) => (id === config.id || forAll === undefined ? [] : [[id, forAll]])),
    );
    this.#book.put({ ...rest, accountPolicies: { ...spread, ...others } });
  }
}

function applyReceipts(account: AccountWithPolicies, before: Contact | undefined, after: Contact | undefined): void {
  if (before?.receipts !== undefined) {
    const gone = before.addresses.filter((address) => after?.addresses.includes(address) !== true);
    const ended = after?.receipts === undefined ? before.addresses : gone;
    for (const address of ended) account.setContactReceipts(address, undefined);
  }
  const { receipts, addresses = [] } = after ?? {};
  if (receipts === undefined) return;
  for (const address of addresses) account.setContactReceipts(address, receipts);
}

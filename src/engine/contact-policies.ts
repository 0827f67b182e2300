import { isAtLeast, policies, protectionLevels, type Policy, type ProtectionLevel } from '../base/protection-level.ts';
import type { Note, NoteStore } from './store/index.ts';

const kinds = { policy: 'policy', consent: 'consent' } as const;

export interface ContactPoliciesOptions {
  /** By contact, as the account is configured: they count until the user sets another. */
  readonly configured?: ReadonlyMap<string, Policy>;
  /** Where what the user decided outlives the program. */
  readonly notes?: NoteStore;
}

/**
 * What each contact's policy is, and to which weaker levels the user agreed under `prefer-e2e`, over restarts.
 * Consent answers a question: it covers the level that was offered and nothing below it. Where several questions are
 * open it is not known which of them is answered: then it covers the best of the levels, and the others are asked again.
 */
export class ContactPolicies {
  readonly #default: Policy;
  readonly #configured: ReadonlyMap<string, Policy>;
  readonly #notes: NoteStore | undefined;
  readonly #policies: Map<string, Policy>;
  readonly #offered = new Map<string, ProtectionLevel>();
  readonly #agreed = new Map<string, ProtectionLevel>();

  constructor(defaultPolicy: Policy, { configured = new Map(), notes }: ContactPoliciesOptions = {}) {
    this.#default = defaultPolicy;
    this.#configured = configured;
    this.#notes = notes;
    this.#policies = new Map(configured);
    this.#restore();
  }

  policyFor(contact: string): Policy {
    return this.#policies.get(contact) ?? this.#default;
  }

  /** Whether a policy of its own is set for this contact. */
  isKnown(contact: string): boolean {
    return this.#policies.has(contact);
  }

  /** Contacts with a policy of their own. */
  all(): ReadonlyMap<string, Policy> {
    return this.#policies;
  }

  /** Contacts whose own policy, not the account's, is this one. */
  contactsWith(policy: Policy): readonly string[] {
    return [...this.#policies].flatMap(([contact, own]) => (own === policy ? [contact] : []));
  }

  /** Undefined returns the contact to the account's policy. A new policy is a new decision: earlier consent ends. */
  setPolicy(contact: string, policy: Policy | undefined): void {
    if (policy === undefined) this.#policies.delete(contact);
    else this.#policies.set(contact, policy);
    const configured = this.#configured.get(contact);
    this.#notes?.set(kinds.policy, contact, { policy: policy ?? null, configured: configured ?? null });
    this.endConsent(contact);
  }

  /** Contacts and groups for which something weaker was agreed to, or offered. */
  withConsent(): readonly string[] {
    return [...new Set([...this.#agreed.keys(), ...this.#offered.keys()])];
  }

  endConsent(contact: string): void {
    this.#agreed.delete(contact);
    this.#offered.delete(contact);
    this.#notes?.delete(kinds.consent, contact);
  }

  agreedLevel(contact: string): ProtectionLevel | undefined {
    return this.#agreed.get(contact);
  }

  noteOffer(contact: string, level: ProtectionLevel): void {
    const open = this.#offered.get(contact);
    if (open === undefined || isAtLeast(level, open)) this.#offered.set(contact, level);
  }

  /** The user agreed. Unasked consent covers protection to the network edge only. */
  consent(contact: string): void {
    const level = this.#offered.get(contact) ?? 'e2ae';
    this.#offered.delete(contact);
    const before = this.#agreed.get(contact);
    if (before !== undefined && !isAtLeast(before, level)) return;
    this.#agreed.set(contact, level);
    this.#notes?.set(kinds.consent, contact, level);
  }

  /** What cannot be read is as if it had never been decided: then the account's own settings count, and consent is asked for. */
  #restore(): void {
    for (const { key, value } of this.#notes?.list(kinds.policy) ?? []) {
      const decided = readDecision(value);
      // The account was configured anew for this contact since then.
      if (decided === undefined || decided.configured !== (this.#configured.get(key) ?? null)) {
        this.#notes?.delete(kinds.policy, key);
        this.#notes?.delete(kinds.consent, key);
      } else if (decided.policy === null) this.#policies.delete(key);
      else this.#policies.set(key, decided.policy);
    }
    for (const { key, value } of this.#notes?.list(kinds.consent) ?? []) {
      const level = protectionLevels.find((one) => one === value);
      if (level !== undefined) this.#agreed.set(key, level);
    }
  }
}

interface Decision {
  readonly policy: Policy | null;
  readonly configured: Policy | null;
}

function readDecision(note: Note): Decision | undefined {
  if (typeof note !== 'object' || note === null || !('policy' in note)) return undefined;
  const policy = policies.find((one) => one === note.policy) ?? null;
  const configured = policies.find((one) => one === note['configured']) ?? null;
  return note.policy === null || policy !== null ? { policy, configured } : undefined;
}

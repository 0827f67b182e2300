import { isAtLeast, type Policy, type ProtectionLevel } from '../base/protection-level.ts';

/**
 * Policies (docs/security-model.md). `require-e2e` and `require-e2ae` are floors. `prefer-e2e` aims at e2e and asks before anything weaker.
 * `any` takes what the network gives and shows it.
 */
const floors = { 'require-e2e': 'e2e', 'require-e2ae': 'e2ae', 'prefer-e2e': 'none', any: 'none' } as const;

/** The protection to try first. `any` aims at the edge too: weaker only where the network has no more. */
export function aimOf(policy: Policy): 'e2e' | 'e2ae' {
  return policy === 'require-e2e' || policy === 'prefer-e2e' ? 'e2e' : 'e2ae';
}

export type Verdict = 'satisfied' | 'consent-required' | 'not-met';

/** Whether something of ours may be sent at `level`; `agreed` is the weakest level the user consented to for this contact. */
export function judgeSending(policy: Policy, level: ProtectionLevel, agreed?: ProtectionLevel): Verdict {
  if (policy === 'prefer-e2e') {
    if (level === 'e2e') return 'satisfied';
    return agreed !== undefined && isAtLeast(level, agreed) ? 'satisfied' : 'consent-required';
  }
  return isAtLeast(level, floors[policy]) ? 'satisfied' : 'not-met';
}

/** What a message under a policy never leaves below; `agreed` is the weakest level the user consented to for its contact. */
export function promisedLevel(policy: Policy, agreed?: ProtectionLevel): ProtectionLevel {
  return policy === 'prefer-e2e' ? (agreed ?? 'e2e') : floors[policy];
}

/** Whether something that comes in at `level` is taken. Taking it is no consent to answer at that level. */
export function acceptsIncoming(policy: Policy, level: ProtectionLevel): boolean {
  return isAtLeast(level, floors[policy]);
}

/**
 * What each contact's policy is, and to which weaker levels the user agreed under `prefer-e2e`.
 * Consent answers a question: it covers the level that was offered and nothing below it. Where several questions are
 * open it is not known which of them is answered: then it covers the best of the levels, and the others are asked again.
 */
export class ContactPolicies {
  readonly #default: Policy;
  readonly #policies = new Map<string, Policy>();
  readonly #offered = new Map<string, ProtectionLevel>();
  readonly #agreed = new Map<string, ProtectionLevel>();

  constructor(defaultPolicy: Policy) {
    this.#default = defaultPolicy;
  }

  policyFor(contact: string): Policy {
    return this.#policies.get(contact) ?? this.#default;
  }

  /** Whether a policy of its own is set for this contact. */
  isKnown(contact: string): boolean {
    return this.#policies.has(contact);
  }

  /** Contacts whose own policy, not the account's, is this one. */
  contactsWith(policy: Policy): readonly string[] {
    return [...this.#policies].flatMap(([contact, own]) => (own === policy ? [contact] : []));
  }

  /** Undefined returns the contact to the account's policy. A new policy is a new decision: earlier consent ends. */
  setPolicy(contact: string, policy: Policy | undefined): void {
    if (policy === undefined) this.#policies.delete(contact);
    else this.#policies.set(contact, policy);
    this.#agreed.delete(contact);
    this.#offered.delete(contact);
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
    if (before === undefined || isAtLeast(before, level)) this.#agreed.set(contact, level);
  }
}

export { ContactPolicies } from './contact-policies.ts';
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

/** The one policy that keeps what each of several demands. */
export function strictest(policies: readonly Policy[]): Policy {
  const demanded = new Set(policies);
  if (demanded.has('require-e2e')) return 'require-e2e';
  // The one never goes below the edge, the other asks before anything below the ends: together only the ends are left.
  if (demanded.has('require-e2ae')) return demanded.has('prefer-e2e') ? 'require-e2e' : 'require-e2ae';
  return demanded.has('prefer-e2e') ? 'prefer-e2e' : 'any';
}

import type { Policy, ProtectionLevel } from '../../base/protection-level.ts';
import { mayOfferLess } from '../downgrade.ts';
import { aimOf, judgeSending, type ContactPolicies } from '../policy.ts';
import { asRefusalError, refuse, type RefusalCode, type RefusalError } from '../refusal.ts';
import { networkFacts, type SessionContext } from './session-context.ts';
import type { Protection } from './session-opener.ts';

/** Opens one stream with exactly this protection, or throws a RefusalError. */
export type OpenWith<Opened> = (protection: Protection, policy: Policy) => Promise<Opened>;

/**
 * Opens a stream to `peer` with the protection that its policy aims at; `prefer-e2e` goes lower only as far as the user
 * agreed, after asking.
 * @throws RefusalError, `consent-required` where the user has to be asked.
 */
export async function openUnderPolicy<Opened>(
  context: SessionContext,
  policies: ContactPolicies,
  peer: string,
  policy: Policy,
  open: OpenWith<Opened>,
): Promise<Opened> {
  if (aimOf(policy) === 'e2e') return endToEndFirst(context, policies, peer, policy, open);
  // Who allows everything and named a relay wants his sessions to go through it.
  if (policy === 'any' && context.relay !== undefined) return open('relay', policy);
  const facts = networkFacts(context, context.userAgent.flow);
  if (facts.signallingProtected && facts.e2aeAllowed) return open('requested', policy);
  if (policy === 'any') return open('plain', policy);
  throw refuse('no-network-indication', 'session', {
    happened: 'The network did not announce that it protects sessions to its edge',
    required: policy,
  });
}

/** Profile 2.5: under a requirement a weaker stream ends at once; otherwise it stands, shown as what it is. */
export function judgeLevel(policy: Policy, level: ProtectionLevel): RefusalError | undefined {
  if (judgeSending(policy, level) !== 'not-met') return undefined;
  const code = level === 'unverified' && policy === 'require-e2ae' ? 'no-network-indication' : 'policy-not-met';
  return refuse(code, 'session', { reached: level, required: policy });
}

async function endToEndFirst<Opened>(
  context: SessionContext,
  policies: ContactPolicies,
  peer: string,
  policy: Policy,
  open: OpenWith<Opened>,
): Promise<Opened> {
  try {
    return await open('key-management', policy);
  } catch (error) {
    const problem = withoutRelay(context, asRefusalError(error, 'peer-unreachable'));
    if (policy !== 'prefer-e2e' || !mayOfferLess(problem.code)) throw problem;
    return openWithoutEndToEnd(context, policies, peer, problem, open);
  }
}

/** `prefer-e2e` without e2e: asks first, then goes as low as was agreed. */
export function openWithoutEndToEnd<Opened>(
  context: SessionContext,
  policies: ContactPolicies,
  peer: string,
  why: RefusalError,
  open: OpenWith<Opened>,
): Promise<Opened> {
  const facts = networkFacts(context, context.userAgent.flow);
  const edge = facts.signallingProtected && facts.e2aeAllowed;
  const below: ProtectionLevel = context.relay === undefined ? 'none' : 'unverified';
  const level: ProtectionLevel = edge ? 'e2ae' : below;
  if (judgeSending('prefer-e2e', level, policies.agreedLevel(peer)) !== 'satisfied') {
    policies.noteOffer(peer, level);
    throw refuse('consent-required', 'session', {
      happened: why.happened,
      offered: level,
      required: 'prefer-e2e',
      cause: why,
    });
  }
  if (edge) return open('requested', 'prefer-e2e');
  return open(context.relay === undefined ? 'plain' : 'relay', 'prefer-e2e');
}

/** Says why the relay did not help: whoever configured one would expect it to. */
function withoutRelay({ relay }: SessionContext, problem: RefusalError): RefusalError {
  const couldHaveHelped: readonly RefusalCode[] = ['peer-unreachable', 'connection-lost', 'timeout', 'tls-failed'];
  if (relay === undefined || !couldHaveHelped.includes(problem.code)) return problem;
  return refuse(problem.code, problem.meaning, {
    ...problem.details,
    happened: `${problem.happened}; the relay ${relay.host} is not used end to end, since it reads all that goes through it`,
    cause: problem.cause,
  });
}

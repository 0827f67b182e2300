import { ProtocolError } from '../../base/errors.ts';
import { mikeyError } from './code-points.ts';
import type { CryptoSession, DecodedMessage } from './message.ts';
import type { Payload, SecurityPolicyPayload } from './payloads.ts';
import type { AnswerRules, PeerRules, SessionOffer } from './key-types.ts';

const srtpProtType = 0;
const ownPolicyNumber = 0;

/** A policy without parameters: what TLS or CMS negotiate themselves is not repeated here. */
export function emptySecurityPolicy(protType: number, policyNumber = ownPolicyNumber): SecurityPolicyPayload {
  return { payload: 'SP', policyNumber, protType, parameters: [] };
}

/** The one crypto session of this profile (profile 3.4 and 5.3). */
export function cryptoSession(csId: number, protType: number, spi: Uint8Array): CryptoSession {
  const policies = [ownPolicyNumber];
  return { csId, protType, sessionDataHasIndex: false, policies, sessionData: new Uint8Array(), spi };
}

/** An offered session as it stands in the GENERIC-ID map. */
export function offeredSession(offer: SessionOffer, firstSpi: Uint8Array): CryptoSession {
  return {
    csId: offer.csId,
    protType: offer.protType,
    sessionDataHasIndex: offer.sessionDataHasIndex ?? false,
    policies: offer.policies,
    sessionData: offer.sessionData ?? new Uint8Array(),
    spi: offer.spi ?? firstSpi,
  };
}

/** A session of a message and the policy that is chosen for it: `undefined` leaves the choice to who answers (#P = 0). */
export interface NegotiatedSession {
  readonly session: CryptoSession;
  readonly policy: SecurityPolicyPayload | undefined;
}

function refuse(problem: string, field: string, mikey: number, expected?: string): never {
  throw new ProtocolError('peer-misbehaved', problem, {
    field: `mikey.sessions.${field}`,
    hint: { mikey },
    ...(expected === undefined ? {} : { expected }),
  });
}

/** Policies by number; two of one number would be ambiguous. */
export function policiesOf(payloads: readonly Payload[]): ReadonlyMap<number, SecurityPolicyPayload> {
  const found = new Map<number, SecurityPolicyPayload>();
  for (const payload of payloads) {
    if (payload.payload !== 'SP') continue;
    if (found.has(payload.policyNumber)) refuse('two policies of one number', 'SP', mikeyError.invalidSecurityPolicy);
    found.set(payload.policyNumber, payload);
  }
  return found;
}

/** Sessions of a GENERIC-ID map, each CS ID once. RFC 6043 4.2.2.1: map type SRTP-ID shall not be used. */
export function sessionsOf({ header }: DecodedMessage): readonly CryptoSession[] {
  if (header.map.type !== 'generic') {
    return refuse(`map type ${header.map.type}`, 'mapType', mikeyError.unspecified, 'GENERIC-ID');
  }
  const { sessions } = header.map;
  if (new Set(sessions.map(({ csId }) => csId)).size < sessions.length) {
    refuse('one CS ID twice', 'csId', mikeyError.unspecified);
  }
  return sessions;
}

/**
 * The sessions of an initial message with the first policy of each that we accept.
 * @throws ProtocolError with number 9 for a protocol or policy that does not fit, 10 for parameters that we do not accept.
 */
export function checkOffer(
  message: DecodedMessage,
  {
    protTypes,
    peer = {},
  }: { readonly protTypes: readonly number[] | undefined; readonly peer?: PeerRules | undefined },
  known: ReadonlyMap<number, SecurityPolicyPayload> = new Map(),
): readonly NegotiatedSession[] {
  const policies = new Map([...known, ...policiesOf(message.payloads)]);
  return sessionsOf(message).map((session) => {
    if (protTypes !== undefined && !protTypes.includes(session.protType)) {
      refuse(`Prot type ${session.protType}`, 'protType', mikeyError.invalidSecurityPolicy, protTypes.join(' or '));
    }
    return { session, policy: choosePolicy(session, policies, peer) };
  });
}

function choosePolicy(
  session: CryptoSession,
  policies: ReadonlyMap<number, SecurityPolicyPayload>,
  peer: PeerRules,
): SecurityPolicyPayload | undefined {
  if (session.policies.length === 0) return undefined;
  const offered = session.policies.map((wanted) => {
    const found = policies.get(wanted);
    return found?.protType === session.protType
      ? found
      : refuse(`no policy ${wanted} for the session`, 'SP', mikeyError.invalidSecurityPolicy);
  });
  return (
    offered.find((policy) => isAcceptable(policy, peer)) ??
    refuse('no policy that we accept', 'SP.parameters', mikeyError.invalidPolicyParameter)
  );
}

function isAcceptable(policy: SecurityPolicyPayload, { acceptsPolicy }: PeerRules): boolean {
  return acceptsPolicy === undefined ? policy.parameters.length === 0 : acceptsPolicy(policy);
}

/**
 * What an answer made of the offered sessions (RFC 6043 4.2.2.3 and 6.1.1): every one of them, with exactly one policy that was
 * offered or that we accept, an SPI, and for SRTP its Session Data.
 */
export function checkAnswer(
  offered: readonly CryptoSession[],
  response: DecodedMessage,
  offeredPolicies: ReadonlyMap<number, SecurityPolicyPayload>,
  rules: AnswerRules,
): readonly CryptoSession[] {
  const answered = sessionsOf(response);
  const added = policiesOf(response.payloads);
  for (const { csId } of offered) {
    if (!answered.some((session) => session.csId === csId))
      refuse('a session is missing', 'csId', mikeyError.unspecified);
  }
  for (const session of answered) {
    const offer = offered.find(({ csId }) => csId === session.csId);
    if (offer === undefined && rules.moreSessions !== true) refuse('a session more', 'csId', mikeyError.unspecified);
    if (offer !== undefined && offer.protType !== session.protType) {
      refuse('another protocol than offered', 'protType', mikeyError.invalidSecurityPolicy);
    }
    checkAnsweredPolicy(session, offer, { offeredPolicies, added, rules });
    if (session.spi.length === 0) refuse('no SPI', 'spi', mikeyError.unspecified);
    if (session.protType === srtpProtType && session.sessionData.length === 0) {
      refuse('no Session Data', 'sessionData', mikeyError.unspecified);
    }
  }
  return answered;
}

function checkAnsweredPolicy(
  session: CryptoSession,
  offer: CryptoSession | undefined,
  from: {
    readonly offeredPolicies: ReadonlyMap<number, SecurityPolicyPayload>;
    readonly added: ReadonlyMap<number, SecurityPolicyPayload>;
    readonly rules: AnswerRules;
  },
): void {
  const [chosen, ...more] = session.policies;
  if (chosen === undefined || more.length > 0) {
    return refuse('not one policy', 'policies', mikeyError.invalidSecurityPolicy);
  }
  const own = from.added.get(chosen);
  if (own === undefined && offer?.policies.includes(chosen) === true) return;
  const policy = own ?? from.offeredPolicies.get(chosen);
  if (policy?.protType !== session.protType) refuse('no such policy', 'policies', mikeyError.invalidSecurityPolicy);
  else if (!isAcceptable(policy, from.rules)) {
    // RFC 6043 4.2.2.4: policies of the responder's own must be acceptable to the initiator.
    refuse('a policy that we do not accept', 'SP.parameters', mikeyError.invalidPolicyParameter);
  }
}

/**
 * The map of an answer: each offered session with the chosen policy, or one of ours where none was offered, an SPI, and Session Data
 * where the initiator left it out.
 */
export function answeredSessions(
  offered: readonly NegotiatedSession[],
  firstSpi: (session: CryptoSession) => Uint8Array,
  options: {
    readonly spis?: ReadonlyMap<number, Uint8Array> | undefined;
    readonly sessionData?: ReadonlyMap<number, Uint8Array> | undefined;
    readonly policies?: readonly SecurityPolicyPayload[] | undefined;
    /** Numbers that policies have already. */
    readonly takenNumbers: Iterable<number>;
  },
): { readonly sessions: readonly CryptoSession[]; readonly policies: readonly SecurityPolicyPayload[] } {
  const own = [...(options.policies ?? [])];
  const used: SecurityPolicyPayload[] = [];
  const taken = new Set([...options.takenNumbers, ...own.map(({ policyNumber }) => policyNumber)]);
  const sessions = offered.map(({ session, policy }) => {
    let chosen = policy;
    if (chosen === undefined) {
      chosen = own.shift() ?? emptySecurityPolicy(session.protType, freeNumber(taken));
      taken.add(chosen.policyNumber);
      used.push(chosen);
    }
    if (chosen.protType !== session.protType) {
      throw new ProtocolError('local', 'a policy of another protocol', { field: 'transfer.policies' });
    }
    const sessionData = options.sessionData?.get(session.csId) ?? session.sessionData;
    const hasIndex = sessionData === session.sessionData ? session.sessionDataHasIndex : sessionData.length === 10;
    return {
      ...session,
      sessionDataHasIndex: session.protType === srtpProtType ? hasIndex : session.sessionDataHasIndex,
      policies: [chosen.policyNumber],
      sessionData,
      spi: options.spis?.get(session.csId) ?? firstSpi(session),
    };
  });
  return { sessions, policies: uniquePolicies([...used, ...own]) };
}

function freeNumber(taken: ReadonlySet<number>): number {
  for (let number = 0; number < 256; number++) if (!taken.has(number)) return number;
  throw new ProtocolError('local', 'no policy number left', { field: 'transfer.policies' });
}

/** One policy may serve several sessions; it is sent once. */
function uniquePolicies(policies: readonly SecurityPolicyPayload[]): readonly SecurityPolicyPayload[] {
  return policies.filter(
    (policy, index) => policies.findIndex((other) => other.policyNumber === policy.policyNumber) === index,
  );
}

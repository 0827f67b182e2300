import { ProtocolError } from '../../base/errors.ts';
import { sha256 } from '../../crypto/digest.ts';
import { profile } from '../profile.ts';
import { checkInitiatorDataPresence, readInitiatorData, ticketIssuedAt } from './base-ticket.ts';
import { dataType, extensionType, idRole, mikeyError, randRole } from './code-points.ts';
import { sameIdentity, type MikeyIdentity } from './identity.ts';
import { decodeMessage, type CryptoSession, type DecodedMessage } from './message.ts';
import { identityInRole, requiredPayload, requiredRand, sdpIdsOf } from './payload-access.ts';
import type { Payload, SecurityPolicyPayload, TicketPayload } from './payloads.ts';
import { suiteOfPrf, type SuiteParameters } from './protection.ts';
import { createTicketResolve } from './resolve.ts';
import { createTicketResolvePk } from './resolve-pk.ts';
import type { CheckedTransfer } from './checked-transfer.ts';
import { readPolicy, refuseOutsideLife, type PolicyContent } from './ticket-policy.ts';
import { refuseStale, timestampMilliseconds } from './timestamp.ts';
import type { MikeyExtension, ReceivedTransfer, ReceiveOptions } from './types.ts';

function refuse(problem: string, field: string, mikey: number, expected?: string): never {
  throw new ProtocolError('peer-misbehaved', problem, {
    field: `mikey.TRANSFER_INIT.${field}`,
    hint: { mikey },
    ...(expected === undefined ? {} : { expected }),
  });
}

/**
 * Every check of RFC 6043 4.2.2.2 that needs no key, so that a message which cannot be right costs the KMS nothing.
 * @throws ProtocolError with the MIKEY error number to answer with.
 */
export function receiveTransfer(input: Uint8Array, options: ReceiveOptions): ReceivedTransfer {
  const checked = checkTransfer(decodeMessage(input), options);
  const { message, session, policy, ticket } = checked;
  const sdpIds = sdpIdsOf(message.payloads);
  return {
    csbId: message.header.csbId,
    csId: session.csId,
    protType: session.protType,
    spi: session.spi,
    timestamp: checked.timestamp,
    suite: checked.suite.name,
    initiator: checked.initiator,
    responder: checked.responder,
    ...(policy.kms === undefined ? {} : { kms: policy.kms }),
    ...(sdpIds === undefined ? {} : { sdpIds }),
    extensions: otherExtensions(message.payloads),
    flags: policy.flags,
    macHash: sha256(checked.verification.mac),
    ...(policy.validFrom === undefined ? {} : { validFrom: policy.validFrom }),
    ...(policy.validUntil === undefined ? {} : { validUntil: policy.validUntil }),
    ticketIssuedAt: ticketIssuedAt(ticket),
    createResolve: (resolveOptions) => createTicketResolve(checked, resolveOptions),
    createResolvePk: (resolveOptions) => createTicketResolvePk(checked, resolveOptions),
  };
}

function otherExtensions(payloads: readonly Payload[]): readonly MikeyExtension[] {
  return payloads.flatMap((payload) =>
    payload.payload === 'EXTENSION' && payload.extensionType !== extensionType.sdpIds
      ? [{ type: payload.extensionType, data: payload.data }]
      : [],
  );
}

function checkTransfer(message: DecodedMessage, options: ReceiveOptions): CheckedTransfer {
  const { header, payloads } = message;
  if (header.dataType !== dataType.transferInit) {
    refuse(`data type ${header.dataType}`, 'dataType', mikeyError.invalidDataType, `${dataType.transferInit}`);
  }
  const suite = suiteOfPrf(header.prf, 'mikey.HDR.prf');
  const session = onlySession(message, options.protTypes);
  const ticket = requiredPayload(payloads, 'TICKET');
  const policy = readPolicy(ticket.policy);
  checkTicket(ticket, policy, suite, payloads);
  refuseOutsideLife(policy, options.now);
  const timestamp = timestampMilliseconds(requiredPayload(payloads, 'T'), 'mikey.T');
  checkFreshness(timestamp, policy, options);
  const verification = payloads.at(-1);
  if (verification?.payload !== 'V') return refuse('not the last payload', 'V', mikeyError.unparseable);
  if (verification.macAlgorithm !== suite.mac) refuse('MAC does not fit the PRF', 'V', mikeyError.invalidMac);
  return {
    message,
    suite,
    session,
    chosenPolicy: chosenPolicy(payloads, session),
    ticket,
    policy,
    verification,
    rand: requiredRand(payloads, randRole.initiator),
    timestamp,
    initiator: initiatorOf(payloads, policy),
    responder: responderOf(payloads, options.self),
  };
}

/** A single crypto session of a protocol that fits where the message stood (profile 3.1). */
function onlySession({ header }: DecodedMessage, protTypes: readonly number[]): CryptoSession {
  // RFC 6043 4.2.2.1: map type SRTP-ID shall not be used.
  if (header.map.type !== 'generic') {
    return refuse(`map type ${header.map.type}`, 'mapType', mikeyError.unspecified, 'GENERIC-ID');
  }
  const [session, ...more] = header.map.sessions;
  if (session === undefined || more.length > 0) {
    return refuse(`${header.map.sessions.length} sessions`, 'sessions', mikeyError.unspecified, 'one');
  }
  if (!protTypes.includes(session.protType)) {
    refuse(`Prot type ${session.protType}`, 'protType', mikeyError.invalidSecurityPolicy, protTypes.join(' or '));
  }
  return session;
}

function chosenPolicy(payloads: readonly Payload[], session: CryptoSession): SecurityPolicyPayload | undefined {
  const [wanted] = session.policies;
  if (wanted === undefined) return undefined;
  const found = payloads.find(
    (payload): payload is SecurityPolicyPayload => payload.payload === 'SP' && payload.policyNumber === wanted,
  );
  return found?.protType === session.protType
    ? found
    : refuse(`no policy ${wanted} for the session`, 'SP', mikeyError.invalidSecurityPolicy);
}

function checkTicket(
  ticket: TicketPayload,
  policy: PolicyContent,
  suite: SuiteParameters,
  payloads: readonly Payload[],
): void {
  if (policy.wantedKeys !== undefined) refuse('key wishes in a ticket', 'TICKET', mikeyError.invalidTicketPolicy);
  if (policy.suite.name !== suite.name) refuse('PRFs of message and ticket differ', 'prf', mikeyError.invalidPrf);
  if (payloads.some(({ payload }) => payload === 'KEMAC')) {
    refuse('keys from the initiator are not supported', 'KEMAC', mikeyError.invalidTicketPolicy);
  }
  checkInitiatorDataPresence(ticket);
  if (policy.flags.I) readInitiatorData(ticket.initiatorData);
}

/**
 * Profile 5.5: a stored message may be old, but neither older than its ticket nor from the future; and where the ticket names
 * no end, not older than a copy would be recognised.
 */
function checkFreshness(timestamp: number, policy: PolicyContent, { checkFreshness: rule, now }: ReceiveOptions): void {
  if (rule === 'window') {
    refuseStale(timestamp, now, 'mikey.TRANSFER_INIT.T');
    return;
  }
  const skew = profile.replay.clockSkewSeconds * 1000;
  const { validFrom = -Infinity, validUntil = Infinity } = policy;
  const oldest = policy.validUntil === undefined ? now - profile.replay.messageCacheSeconds * 1000 : -Infinity;
  if (timestamp < Math.max(validFrom - skew, oldest) || timestamp > Math.min(validUntil, now + skew)) {
    throw new ProtocolError('expired', "the timestamp lies outside the ticket's life or in the future", {
      field: 'mikey.TRANSFER_INIT.T',
      hint: { mikey: mikeyError.invalidTimestamp },
    });
  }
}

/** Reading [A26]: with forking the sender must be the ticket's initiator. Reading [A34]: an IDRi left out is the ticket's. */
function initiatorOf(payloads: readonly Payload[], policy: PolicyContent): MikeyIdentity {
  const sender = identityInRole(payloads, idRole.initiator) ?? policy.initiator;
  if (sender === undefined) return refuse('no initiator named', 'IDRi', mikeyError.invalidIdentity);
  if (policy.flags.I && (policy.initiator === undefined || !sameIdentity(sender, policy.initiator))) {
    refuse("not the ticket's initiator", 'IDRi', mikeyError.invalidIdentity);
  }
  return sender;
}

function responderOf(payloads: readonly Payload[], self: readonly MikeyIdentity[]): MikeyIdentity {
  const addressed = identityInRole(payloads, idRole.responder) ?? self[0];
  if (addressed === undefined || !self.some((own) => sameIdentity(own, addressed))) {
    return refuse('addressed to somebody else', 'IDRr', mikeyError.invalidIdentity);
  }
  return addressed;
}

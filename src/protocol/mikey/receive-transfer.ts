import { ProtocolError } from '../../base/errors.ts';
import { sha256 } from '../../crypto/digest.ts';
import { profile } from '../profile.ts';
import { checkInitiatorDataPresence, readInitiatorData, ticketIssuedAt } from './base-ticket.ts';
import type { CheckedTransfer } from './checked-transfer.ts';
import { dataType, extensionType, idRole, mikeyError, randRole } from './code-points.ts';
import { sameIdentity, type MikeyIdentity } from './identity.ts';
import { decodeMessage, type DecodedMessage } from './message.ts';
import { openTransfer } from './open-ticket.ts';
import { identityInRole, requiredPayload, requiredRand, sdpIdsOf } from './payload-access.ts';
import type { Payload, TicketPayload, TimestampPayload } from './payloads.ts';
import { suiteOfPrf, type SuiteParameters } from './protection.ts';
import { createTicketResolve } from './resolve.ts';
import { createTicketResolvePk } from './resolve-pk.ts';
import { checkOffer, sessionsOf } from './session-negotiation.ts';
import { refuseForbiddenKeys } from './supplied-keys.ts';
import {
  checkPlainProcessing,
  readPolicy,
  refuseAfterRekeying,
  refuseOutsideLife,
  type PolicyContent,
} from './ticket-policy.ts';
import { readMessageTime, refuseStale } from './timestamp.ts';
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
  const { message, sessions, policy } = checked;
  const [{ session }] = sessions;
  const sdpIds = sdpIdsOf(message.payloads);
  const messageTime = readMessageTime(checked.timestamp, 'mikey.T');
  return {
    csbId: message.header.csbId,
    csId: session.csId,
    protType: session.protType,
    spi: session.spi,
    sessions: sessions.map((negotiated) => negotiated.session),
    timestamp: 'milliseconds' in messageTime ? messageTime.milliseconds : options.now,
    messageTime,
    suite: checked.suite.name,
    initiator: checked.initiator,
    responder: checked.responder,
    responders: policy.responders,
    ...(policy.kms === undefined ? {} : { kms: policy.kms }),
    ...(sdpIds === undefined ? {} : { sdpIds }),
    extensions: otherExtensions(message.payloads),
    flags: policy.flags,
    macHash: sha256(checked.verification.mac),
    messageHash: sha256(input),
    ...(policy.validFrom === undefined ? {} : { validFrom: policy.validFrom }),
    ...(policy.validUntil === undefined ? {} : { validUntil: policy.validUntil }),
    ...(policy.rekeyingSeconds === undefined ? {} : { rekeyingSeconds: policy.rekeyingSeconds }),
    applications: policy.applications,
    ticketIssuedAt: checked.ticketIssuedAt,
    createResolve: (resolveOptions) => createTicketResolve(checked, resolveOptions),
    createResolvePk: (resolveOptions) => createTicketResolvePk(checked, resolveOptions),
    openTicket: (openOptions) => openTransfer(checked, openOptions),
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
  const sessions = offeredSessions(message, options);
  const ticket = requiredPayload(payloads, 'TICKET');
  const policy = readPolicy(ticket.policy);
  checkTicket(ticket, policy, suite, message);
  refuseOutsideLife(options.acceptEnded === true ? { ...policy, validUntil: Infinity } : policy, options.now);
  const issuedAt = ticketIssuedAt(ticket) ?? policy.validFrom ?? options.now;
  checkRekeying(policy, issuedAt, options);
  const initiator = initiatorOf(payloads, policy);
  const timestamp = requiredPayload(payloads, 'T');
  checkFreshness(timestamp, initiator, policy, options);
  const verification = payloads.at(-1);
  if (verification?.payload !== 'V') return refuse('not the last payload', 'V', mikeyError.unparseable);
  if (verification.macAlgorithm !== suite.mac) refuse('MAC does not fit the PRF', 'V', mikeyError.invalidMac);
  return {
    message,
    suite,
    sessions,
    ticket,
    policy,
    verification,
    rand: requiredRand(payloads, randRole.initiator),
    timestamp,
    ticketIssuedAt: issuedAt,
    initiator,
    responder: responderOf(payloads, policy, options),
    rules: options.peer ?? {},
  };
}

/** Crypto sessions of a protocol that fits where the message stood: one, unless more are allowed (profile 3.1). */
function offeredSessions(
  message: DecodedMessage,
  { protTypes, peer, maxSessions = 1 }: ReceiveOptions,
): CheckedTransfer['sessions'] {
  const count = sessionsOf(message).length;
  const expected = maxSessions === 1 ? 'one' : `1 to ${maxSessions}`;
  if (count > maxSessions) refuse(`${count} sessions`, 'sessions', mikeyError.unspecified, expected);
  const [first, ...more] = checkOffer(message, { protTypes, peer });
  return first === undefined ? refuse('no session', 'sessions', mikeyError.unspecified, expected) : [first, ...more];
}

function checkTicket(
  ticket: TicketPayload,
  policy: PolicyContent,
  suite: SuiteParameters,
  message: DecodedMessage,
): void {
  if (policy.wantedKeys !== undefined) refuse('key wishes in a ticket', 'TICKET', mikeyError.invalidTicketPolicy);
  // Reading [A17]: each has algorithms of one strength; a message weaker than its ticket would be the way in.
  if (suite.keyBits < policy.suite.keyBits) refuse('a suite weaker than the ticket', 'prf', mikeyError.invalidPrf);
  checkPlainProcessing(policy.flags, 'responder');
  refuseForbiddenKeys(message, policy.flags.L);
  checkInitiatorDataPresence(ticket);
  if (policy.flags.I) readInitiatorData(ticket.initiatorData);
}

/** TRr: a session that starts later than this would start with keys that are due to be replaced. */
function checkRekeying(
  { rekeyingSeconds }: PolicyContent,
  issuedAt: number,
  { now, checkFreshness: rule }: ReceiveOptions,
): void {
  // A stored message was sent earlier than it is read; TRr binds who sends (profile 5.5).
  if (rekeyingSeconds === undefined || rule === 'ticket') return;
  const skew = profile.replay.clockSkewSeconds * 1000;
  refuseAfterRekeying({ rekeyBy: issuedAt + rekeyingSeconds * 1000 + skew }, now);
}

/**
 * Profile 5.5: a stored message may be old, but neither older than its ticket nor from the future; and where the ticket names
 * no end, not older than a copy would be recognised.
 */
function checkFreshness(
  payload: TimestampPayload,
  initiator: MikeyIdentity,
  policy: PolicyContent,
  { checkFreshness: rule, now, isCounterFresh }: ReceiveOptions,
): void {
  const time = readMessageTime(payload, 'mikey.T');
  if ('count' in time) {
    // Reading [A29]: strictly increasing for each sender, which only who keeps a memory can tell.
    if (isCounterFresh?.(initiator, time.count) === true) return;
    refuse('a count that is not taken', 'T', mikeyError.invalidTimestamp, 'a higher count than ever, or a time');
  }
  const timestamp = time.milliseconds;
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

/** The message may be addressed to a group of ours (RFC 6043 12.2); who answers for it, the KMS says. */
function responderOf(
  payloads: readonly Payload[],
  policy: PolicyContent,
  { self, groups = [], acceptNamedByTicket = false }: ReceiveOptions,
): MikeyIdentity {
  const addressed = identityInRole(payloads, idRole.responder) ?? self[0];
  const isAmong = (those: readonly MikeyIdentity[], one: MikeyIdentity): boolean =>
    those.some((other) => sameIdentity(other, one));
  const isOurs = addressed !== undefined && isAmong([...self, ...groups], addressed);
  const isNamed = acceptNamedByTicket && self.some((own) => isAmong(policy.responders, own));
  if (addressed === undefined || (!isOurs && !isNamed)) {
    return refuse('addressed to somebody else', 'IDRr', mikeyError.invalidIdentity);
  }
  return addressed;
}

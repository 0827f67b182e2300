import { ProtocolError } from '../../base/errors.ts';
import { randomU32 } from '../../base/random.ts';
import { SecretBytes } from '../../base/secret-bytes.ts';
import { profile } from '../profile.ts';
import { dataType, idRole, randRole } from './code-points.ts';
import type { ExchangeRands } from './derivation.ts';
import { checkAnswerHeader, refuseErrorAnswer } from './error-message.ts';
import { sameIdentity, type MikeyIdentity } from './identity.ts';
import { decodeMessage, type CryptoSession, type DecodedMessage } from './message.ts';
import { identityInRole, randInRole, requiredPayload, requiredRand, sdpIdsExtension } from './payload-access.ts';
import type { GeneralExtensionPayload, SecurityPolicyPayload } from './payloads.ts';
import { messageKeys, suites, verifyMessage } from './protection.ts';
import { forkMpkr, forkTgk, sessionTek, type ForkModifier } from './ticket-keys.ts';
import { refuseOutsideLife } from './ticket-policy.ts';
import { ntpTimestamp, refuseStale, timestampMilliseconds } from './timestamp.ts';
import { sealTransferInit, type TransferInit } from './transfer-messages.ts';
import type { GrantedTicket, TicketKey, Transfer, TransferOptions, TransferSession } from './types.ts';

const policyNumber = 0;
const usedOnce = new WeakSet<GrantedTicket>();

/** The one crypto session of this profile (profile 3.4 and 5.3). */
export function cryptoSession(csId: number, protType: number, spi: Uint8Array): CryptoSession {
  return { csId, protType, sessionDataHasIndex: false, policies: [policyNumber], sessionData: new Uint8Array(), spi };
}

/** A policy without parameters: what TLS or CMS negotiate themselves is not repeated here. */
export function emptySecurityPolicy(protType: number): SecurityPolicyPayload {
  return { payload: 'SP', policyNumber, protType, parameters: [] };
}

const refuseLocally = (problem: string, field: string): never => {
  throw new ProtocolError('local', problem, { field: `transfer.${field}` });
};

function checkUse({ ticket, initiator, now }: TransferOptions): void {
  refuseOutsideLife(ticket, now);
  // Reading [A26]: with forking only the initiator that the ticket names can send it.
  if (ticket.flags.I && !sameIdentity(initiator, ticket.initiator)) refuseLocally('not our ticket', 'initiator');
  if (ticket.flags.I !== (ticket.mpkr !== undefined)) refuseLocally('MPKr does not fit flag I', 'ticket');
  if (!ticket.flags.J && usedOnce.has(ticket)) refuseLocally('a single-use ticket was used', 'ticket');
  usedOnce.add(ticket);
}

function extensionsOf(
  { extensions = [], sdpIds }: TransferOptions,
  session: TransferSession,
): readonly GeneralExtensionPayload[] {
  const list = typeof extensions === 'function' ? extensions(session) : extensions;
  const given = list.map(({ type, data }): GeneralExtensionPayload => ({
    payload: 'EXTENSION',
    extensionType: type,
    data,
  }));
  return sdpIds === undefined ? given : [...given, sdpIdsExtension(sdpIds)];
}

/** Hands a ticket over (RFC 6043 4.2.2): once, or with flag J again and again, each time under a fresh CSB ID, T and RANDRi. */
export function createTransfer(options: TransferOptions): Transfer {
  checkUse(options);
  const { ticket, csId, protType, random } = options;
  const key = ticket.keys[0] ?? refuseLocally('no session key', 'ticket');
  const suite = suites[ticket.suite];
  const csbId = randomU32(random);
  const rand = random.bytes(profile.mikey.randOctets);
  const session: TransferSession = {
    csbId,
    csId,
    spi: key.spi,
    sessionKey: () => oneWayKey(ticket, { suite, rand }, key, csId),
  };
  const init: TransferInit = {
    suite,
    csbId,
    timestamp: ntpTimestamp(options.now),
    rand,
    initiator: options.initiator,
    responder: options.responder,
    sessions: [cryptoSession(csId, protType, key.spi)],
    policies: [emptySecurityPolicy(protType)],
    ticket: ticket.ticketPayload,
    extensions: extensionsOf(options, session),
    mpki: ticket.mpki,
    mpkr: ticket.mpkr,
  };
  const message = sealTransferInit(init);
  return {
    ...session,
    message,
    timestamp: timestampMilliseconds(init.timestamp, 'mikey.T'),
    accept: (response, now) => acceptTransferResponse(ticket, init, message, key, decodeMessage(response), now),
  };
}

function oneWayKey(
  ticket: GrantedTicket,
  init: Pick<TransferInit, 'suite' | 'rand'>,
  key: TicketKey,
  csId: number,
): SecretBytes {
  if (ticket.flags.F) refuseLocally('the key is made from an answer', 'sessionKey');
  // H is set whenever G is not, so RANDRi makes every use of the ticket another key.
  return key.key.use(
    (octets) => new SecretBytes(sessionTek(init.suite, key.kind, octets, csId, { initiator: init.rand })),
  );
}

/** Keys that enter an answer depend on who answered: RFC 6043 5.1.1. */
function forkModifierOf(response: DecodedMessage, responder: MikeyIdentity): ForkModifier {
  return { responder: responder.data, kmsRand: requiredRand(response.payloads, randRole.kms) };
}

/** RANDRs that enter the keys of a session by the flags G and H (RFC 6043 5.1.3). */
export function sessionRands(flags: { readonly G: boolean; readonly H: boolean }, rands: ExchangeRands): ExchangeRands {
  return {
    ...(flags.H && rands.initiator !== undefined ? { initiator: rands.initiator } : {}),
    ...(flags.G && rands.responder !== undefined ? { responder: rands.responder } : {}),
  };
}

const misbehaved = (problem: string, field: string): never => {
  throw new ProtocolError('peer-misbehaved', problem, { field: `mikey.TRANSFER_RESP.${field}` });
};

/** Reading [A31]: RANDRr stands there exactly when flag G says so. */
function responderRand(response: DecodedMessage, expected: boolean): { readonly responder?: Uint8Array } {
  const responder = randInRole(response.payloads, randRole.responder);
  if ((responder !== undefined) !== expected) misbehaved('RANDRr does not fit flag G', 'RANDRr');
  return responder === undefined ? {} : { responder };
}

function acceptTransferResponse(
  ticket: GrantedTicket,
  init: TransferInit,
  message: Uint8Array,
  key: TicketKey,
  response: DecodedMessage,
  now: number,
): { readonly tek: SecretBytes; readonly responder: MikeyIdentity } {
  const { suite, csbId } = init;
  const initialKeys = messageKeys(suite, init.mpki, csbId, 'initial', { initiator: init.rand });
  refuseErrorAnswer(response, csbId, 'mikey.transfer.error', initialKeys);
  if (!ticket.flags.F) refuseLocally('this ticket has no answers', 'accept');
  const asked = decodeMessage(message).header;
  checkAnswerHeader(response, asked, dataType.transferResp);
  const responder = identityInRole(response.payloads, idRole.responder) ?? init.responder;
  const rands: ExchangeRands = { initiator: init.rand, ...responderRand(response, ticket.flags.G) };
  const modifier = ticket.flags.I ? forkModifierOf(response, responder) : undefined;
  const messageKey =
    modifier === undefined
      ? ticket.mpki
      : (ticket.mpkr?.use((mpkr) => new SecretBytes(forkMpkr(suite.prf, mpkr, modifier))) ??
        refuseLocally('no MPKr', 'ticket'));
  verifyMessage(response, messageKeys(suite, messageKey, csbId, 'response', rands), [message]);
  refuseStale(timestampMilliseconds(requiredPayload(response.payloads, 'T'), 'mikey.T'), now, 'mikey.TRANSFER_RESP.T');
  // The KMS puts there an identity of the ticket (RFC 6043 4.2.3.5); anybody else has no business with these keys.
  if (!ticket.responders.some((named) => sameIdentity(named, responder))) misbehaved('not named by the ticket', 'IDRr');
  checkSession(init, response, key);
  if (response.payloads.some(({ payload }) => payload === 'KEMAC'))
    misbehaved('keys of its own without flag M', 'KEMAC');
  const tek = key.key.use((octets) => {
    const base = modifier !== undefined && key.kind === 'TGK' ? forkTgk(suite.prf, octets, modifier) : octets;
    const csId = init.sessions[0]?.csId ?? 0;
    return new SecretBytes(sessionTek(suite, key.kind, base, csId, sessionRands(ticket.flags, rands)));
  });
  return { tek, responder };
}

/** The answer chooses one policy and names the key that we offered (RFC 6043 6.1.1). */
function checkSession(init: TransferInit, response: DecodedMessage, key: TicketKey): void {
  const { map } = response.header;
  const offered = init.sessions[0];
  const [session, ...more] = map.type === 'generic' ? map.sessions : [];
  if (session === undefined || offered === undefined || more.length > 0)
    return misbehaved('not one session', 'sessions');
  if (session.csId !== offered.csId || session.protType !== offered.protType) misbehaved('another session', 'sessions');
  if (session.policies.length !== 1) misbehaved('not one policy', 'policies');
  const sameSpi =
    session.spi.length === key.spi.length && session.spi.every((octet, index) => octet === key.spi[index]);
  if (!sameSpi) misbehaved('another key than offered', 'spi');
}

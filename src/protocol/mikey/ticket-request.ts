import { ProtocolError } from '../../base/errors.ts';
import { randomU32, type Random } from '../../base/random.ts';
import { SecretBytes } from '../../base/secret-bytes.ts';
import type { RsaPublicKey } from '../../crypto/rsa.ts';
import { profile } from '../profile.ts';
import { ticketIssuedAt } from './base-ticket.ts';
import { dataType, idRole, mikeyError, randRole } from './code-points.ts';
import { flagNames } from './flags.ts';
import { sameIdentity, type MikeyIdentity } from './identity.ts';
import { kmsHeader, openKmsAnswer } from './kms-answer.ts';
import { decodeMessage, type DecodedMessage } from './message.ts';
import { identityInRole, identityPayload, requiredPayload } from './payload-access.ts';
import type { Payload, TicketPayload, TicketPolicy, TimestampPayload } from './payloads.ts';
import { messageKeys, sealMessage, suites, type SuiteParameters } from './protection.ts';
import { keyData, ticketKey, type KeyList } from './ticket-keys.ts';
import { checkForkedTgk, readPolicy, refuseOutsideLife, requestedPolicy, type PolicyContent } from './ticket-policy.ts';
import { ntpTimestamp, refuseStale, timestampMilliseconds } from './timestamp.ts';
import type { GrantedTicket, TicketRequest, TicketRequestOptions } from './types.ts';

const spiOctets = 4;

/** Every value of a REQUEST_INIT_PSK; with an envelope key in place of the PSK the common ones of both variants. */
export interface RequestInit {
  readonly suite: SuiteParameters;
  readonly psk: SecretBytes;
  readonly pskId: MikeyIdentity | undefined;
  readonly csbId: number;
  readonly timestamp: TimestampPayload;
  readonly rand: Uint8Array;
  readonly initiator: MikeyIdentity;
  readonly kms: MikeyIdentity;
  readonly policy: TicketPolicy;
  /** Public key of the KMS, for Errors that it signs; known in the PK variant only. */
  readonly kmsKey?: RsaPublicKey;
}

/** REQUEST_INIT_PSK (RFC 6043 4.2.1.1), covered together with Identity_i and Identity_kms (reading [A1]: ID Data alone). */
export function sealRequestInit(request: RequestInit): Uint8Array {
  const { suite, csbId, initiator, kms, pskId } = request;
  const payloads: Payload[] = [
    request.timestamp,
    { payload: 'RANDR', role: randRole.initiator, value: request.rand },
    identityPayload(idRole.initiator, initiator),
    identityPayload(idRole.kms, kms),
    { payload: 'TP', policy: request.policy },
    ...(pskId === undefined ? [] : [identityPayload(idRole.psk, pskId)]),
  ];
  const keys = messageKeys(suite, request.psk, csbId, 'initial', { initiator: request.rand });
  const header = kmsHeader(dataType.requestInitPsk, suite, csbId, true);
  return sealMessage({ header, payloads }, keys, [initiator.data, kms.data]).bytes;
}

/** Fresh octets for SPIs. */
export const freshSpi = (random: Random): Uint8Array => random.bytes(spiOctets);

/** Asks a KMS for a ticket (RFC 6043 4.2.1), the PSK variant. */
export function createTicketRequest(options: TicketRequestOptions): TicketRequest {
  return ticketRequest(options, sealRequestInit);
}

/** What both variants of Ticket Request have in common. @param seal writes the message and proves its sender. */
export function ticketRequest(
  options: TicketRequestOptions & Pick<RequestInit, 'kmsKey'>,
  seal: (request: RequestInit) => Uint8Array,
): TicketRequest {
  const suite = suites[options.suite];
  if (options.responders.length === 0) {
    throw new ProtocolError('local', 'nobody to talk to', { field: 'ticketRequest.responders' });
  }
  const wanted = keyData(options.keyKind, new Uint8Array(suite.keyBits / 8), freshSpi(options.random));
  checkForkedTgk(options.flags, options.keyKind === 'TGK');
  const policy = requestedPolicy({
    ...options,
    suite,
    ticketType: options.ticketType ?? profile.mikey.ticketType,
    keys: [wanted],
  });
  const request: RequestInit = {
    suite,
    psk: options.psk,
    pskId: options.pskId,
    csbId: randomU32(options.random),
    timestamp: ntpTimestamp(options.now),
    rand: options.random.bytes(profile.mikey.randOctets),
    initiator: options.initiator,
    kms: options.kms,
    policy,
    ...(options.kmsKey === undefined ? {} : { kmsKey: options.kmsKey }),
  };
  const message = seal(request);
  return { message, accept: (response, now) => acceptResponse(request, message, options, response, now) };
}

/** Takes REQUEST_RESP. The MAC covers the request too, so an answer fits one question only (RFC 6043 5.5). */
export function openRequestResponse(
  request: RequestInit,
  message: Uint8Array,
  response: DecodedMessage,
  forked: boolean,
): KeyList {
  const { suite, psk, csbId, rand, kmsKey } = request;
  const question = { type: dataType.requestResp, suite, psk, csbId, rands: { initiator: rand }, forked, kmsKey };
  return openKmsAnswer(question, message, response);
}

function acceptResponse(
  request: RequestInit,
  message: Uint8Array,
  options: TicketRequestOptions,
  response: Uint8Array,
  now: number,
): GrantedTicket {
  const decoded = decodeMessage(response);
  const list = openRequestResponse(request, message, decoded, options.flags.I);
  const ticket = requiredPayload(decoded.payloads, 'TICKET');
  refuseStale(timestampMilliseconds(requiredPayload(decoded.payloads, 'T'), 'mikey.T'), now, 'mikey.REQUEST_RESP.T');
  const kms = identityInRole(decoded.payloads, idRole.kms);
  if (kms !== undefined && !sameIdentity(kms, request.kms)) refuseGrant('another KMS answered', 'kms');
  const granted = checkGrant(options, request.policy, ticket);
  refuseOutsideLife(granted, now);
  if (list.keys.length === 0) refuseGrant('no session key', 'keys');
  const keys = list.keys.map(ticketKey);
  if (keys.some(({ kind, key }) => kind !== options.keyKind || key.length * 8 < request.suite.keyBits)) {
    refuseGrant('another kind of key', 'keys');
  }
  const [mpki, mpkr] = list.mpks.map(({ key }) => new SecretBytes(key));
  if (mpki === undefined) return refuseGrant('no MPK', 'keys');
  return {
    suite: request.suite.name,
    ticketPayload: ticket,
    initiator: options.initiator,
    kms: options.kms,
    responders: granted.responders,
    issuedAt: ticketIssuedAt(ticket),
    ...(granted.validFrom === undefined ? {} : { validFrom: granted.validFrom }),
    ...(granted.validUntil === undefined ? {} : { validUntil: granted.validUntil }),
    flags: granted.flags,
    mpki,
    ...(mpkr === undefined ? {} : { mpkr }),
    keys,
  };
}

function refuseGrant(problem: string, field: string): never {
  throw new ProtocolError('policy-denied', problem, {
    field: `mikey.granted.${field}`,
    hint: { mikey: mikeyError.invalidTicketPolicy },
  });
}

/**
 * The KMS may shorten a ticket's life and forbid its reuse; any other change would protect us otherwise than we asked
 * (RFC 6043 4.2.1.5: the initiator must check before use).
 */
function checkGrant(options: TicketRequestOptions, asked: TicketPolicy, ticket: TicketPayload): PolicyContent {
  const granted = readPolicy(ticket.policy);
  if (ticket.initiatorData.length > 0) refuseGrant('Initiator Data from the KMS', 'initiatorData');
  if (ticket.policy.ticketType !== asked.ticketType || ticket.policy.prf !== asked.prf) {
    refuseGrant('another ticket type or PRF', 'type');
  }
  if (granted.wantedKeys !== undefined) refuseGrant('key wishes in a granted policy', 'KEMAC');
  for (const name of flagNames) {
    const mayChange = name === 'K' || (name === 'J' && !granted.flags.J);
    if (!mayChange && granted.flags[name] !== asked.flags[name]) refuseGrant(`flag ${name} changed`, 'flags');
  }
  if (granted.kms !== undefined && !sameIdentity(granted.kms, options.kms)) refuseGrant('another KMS', 'kms');
  if (granted.initiator !== undefined && !sameIdentity(granted.initiator, options.initiator)) {
    refuseGrant('another initiator', 'initiator');
  }
  const { responders } = granted;
  const same =
    responders.length === options.responders.length &&
    options.responders.every((wanted) => responders.some((responder) => sameIdentity(responder, wanted)));
  if (!same) refuseGrant('others may resolve the ticket', 'responders');
  return granted;
}

import { ProtocolError } from '../../base/errors.ts';
import { randomU32, type Random } from '../../base/random.ts';
import type { SecretBytes } from '../../base/secret-bytes.ts';
import type { RsaPublicKey } from '../../crypto/rsa.ts';
import { profile } from '../profile.ts';
import { authenticatedTime } from './answer-time.ts';
import { dataType, idRole, randRole } from './code-points.ts';
import type { TicketFlags } from './flags.ts';
import { grantedTicket } from './granted-ticket.ts';
import type { MikeyIdentity } from './identity.ts';
import { kmsHeader, openKmsAnswer, type KmsQuestion } from './kms-answer.ts';
import { decodeMessage, type DecodedMessage } from './message.ts';
import { identityInRole, identityPayload, optionalPayload, requiredPayload } from './payload-access.ts';
import type { KeyDataPayload, Payload, TicketPolicy, TimestampPayload } from './payloads.ts';
import { messageKeys, sealMessage, suites, type SuiteParameters } from './protection.ts';
import { keyData, kindOf, type KeyList } from './ticket-keys.ts';
import { checkForkedTgk, flagRules, requestedPolicy } from './ticket-policy.ts';
import { makeTimestamp, refuseStaleAnswer } from './timestamp.ts';
import type { GrantedTicket, KeyWish, TicketRequest, TicketRequestOptions } from './types.ts';

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

/** Key wishes in the words of a KEMAC. Reading [A11]: the octets are zero, kind, lengths and SPI are what is asked for. */
export function wishedKeys(wishes: readonly KeyWish[], suite: SuiteParameters, random: Random): KeyDataPayload[] {
  return wishes.map(({ kind, octets = suite.keyBits / 8, saltOctets, spi }) => {
    const salt = saltOctets === undefined ? undefined : new Uint8Array(saltOctets);
    return keyData(kind, new Uint8Array(octets), spi ?? freshSpi(random), salt);
  });
}

/** RFC 6043 6.10: our own flags must hold together before anybody is asked. */
export function refuseOwnFlags(flags: TicketFlags, field: string): void {
  for (const { holds, expected } of flagRules) {
    if (!holds(flags)) throw new ProtocolError('local', 'contradictory flags', { field, expected });
  }
}

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
  refuseOwnFlags(options.flags, 'ticketRequest.flags');
  const wanted = wishedKeys(options.keys ?? [{ kind: options.keyKind ?? 'TGK' }], suite, options.random);
  checkForkedTgk(
    options.flags,
    wanted.some((key) => kindOf(key) === 'TGK'),
  );
  const policy = requestedPolicy({
    ...options,
    suite,
    // RFC 6043 6.10: the KMS sets K, not we.
    flags: { ...options.flags, K: false },
    ticketType: options.ticketType ?? profile.mikey.ticketType,
    keys: wanted,
  });
  const request: RequestInit = {
    suite,
    psk: options.psk,
    pskId: options.pskId,
    csbId: randomU32(options.random),
    timestamp: makeTimestamp(options.now, options.timestamp),
    rand: options.random.bytes(profile.mikey.randOctets),
    initiator: options.initiator,
    kms: options.kms,
    policy,
    ...(options.kmsKey === undefined ? {} : { kmsKey: options.kmsKey }),
  };
  const message = seal(request);
  return {
    message,
    accept: (response, now) => acceptResponse(request, message, options, response, now),
    answerTime: (response) => authenticatedTime(kmsQuestion(request, options.flags.I), message, response),
  };
}

/** Takes REQUEST_RESP. The MAC covers the request too, so an answer fits one question only (RFC 6043 5.5). */
export function openRequestResponse(
  request: RequestInit,
  message: Uint8Array,
  response: DecodedMessage,
  forked: boolean,
): KeyList {
  return openKmsAnswer(kmsQuestion(request, forked), message, response);
}

function kmsQuestion({ suite, psk, csbId, rand, kmsKey }: RequestInit, forked: boolean): KmsQuestion {
  return { type: dataType.requestResp, suite, psk, csbId, rands: { initiator: rand }, forked, kmsKey };
}

function acceptResponse(
  request: RequestInit,
  message: Uint8Array,
  options: TicketRequestOptions,
  response: Uint8Array,
  now: number,
): GrantedTicket {
  const decoded = decodeMessage(response);
  // Flag I decides how many MPKs there are; the granted one is not proven before the MAC, which `openRequestResponse` checks first.
  const ticket = optionalPayload(decoded.payloads, 'TICKET');
  const list = openRequestResponse(request, message, decoded, ticket?.policy.flags.I ?? options.flags.I);
  refuseStaleAnswer(requiredPayload(decoded.payloads, 'T'), now, 'mikey.REQUEST_RESP.T');
  const kms = identityInRole(decoded.payloads, idRole.kms);
  return grantedTicket(request, options, requiredPayload(decoded.payloads, 'TICKET'), kms, list, now);
}

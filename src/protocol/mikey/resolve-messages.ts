import type { SecretBytes } from '../../base/secret-bytes.ts';
import type { RsaPublicKey } from '../../crypto/rsa.ts';
import { dataType, idRole, randRole } from './code-points.ts';
import type { MikeyIdentity } from './identity.ts';
import { kmsHeader, openKmsAnswer, type KmsQuestion } from './kms-answer.ts';
import type { DecodedMessage } from './message.ts';
import { identityPayload } from './payload-access.ts';
import type { KeyDataPayload, Payload, TicketPayload, TimestampPayload } from './payloads.ts';
import { messageKeys, sealKeys, sealMessage, type SuiteParameters } from './protection.ts';
import type { KeyList } from './ticket-keys.ts';

/** Every value of a RESOLVE_INIT_PSK; with an envelope key in place of the PSK the common ones of both variants. */
export interface ResolveInit {
  readonly suite: SuiteParameters;
  readonly psk: SecretBytes;
  readonly pskId: MikeyIdentity | undefined;
  readonly csbId: number;
  readonly timestamp: TimestampPayload;
  /** Not the RANDRr of TRANSFER_RESP: reading [A12]. */
  readonly rand: Uint8Array;
  readonly responder: MikeyIdentity;
  readonly kms: MikeyIdentity;
  /** As it was received, Initiator Data included. */
  readonly ticket: TicketPayload;
  /** Public key of the KMS, for Errors that it signs; known in the PK variant only. */
  readonly kmsKey?: RsaPublicKey;
}

/** RESOLVE_INIT_PSK (RFC 6043 4.2.3.1), covered together with Identity_r and Identity_kms. */
export function sealResolveInit(init: ResolveInit): Uint8Array {
  const { suite, csbId, responder, kms, pskId } = init;
  const payloads: Payload[] = [
    init.timestamp,
    { payload: 'RANDR', role: randRole.responder, value: init.rand },
    identityPayload(idRole.responder, responder),
    identityPayload(idRole.kms, kms),
    init.ticket,
    ...(pskId === undefined ? [] : [identityPayload(idRole.psk, pskId)]),
  ];
  const keys = messageKeys(suite, init.psk, csbId, 'initial', { responder: init.rand });
  const header = kmsHeader(dataType.resolveInitPsk, suite, csbId, true);
  return sealMessage({ header, payloads }, keys, [responder.data, kms.data]).bytes;
}

/** Verifies and deciphers RESOLVE_RESP. */
export function openResolveResponse(init: ResolveInit, message: Uint8Array, response: DecodedMessage): KeyList {
  return openKmsAnswer(resolveQuestion(init), message, response);
}

export function resolveQuestion({ suite, psk, csbId, rand, ticket, kmsKey }: ResolveInit): KmsQuestion {
  return {
    type: dataType.resolveResp,
    suite,
    psk,
    csbId,
    rands: { responder: rand },
    forked: ticket.policy.flags.I,
    kmsKey,
  };
}

/** What both answers of a KMS need besides their own payloads. */
export interface KmsAnswer {
  readonly suite: SuiteParameters;
  readonly psk: SecretBytes;
  readonly csbId: number;
  readonly timestamp: TimestampPayload;
  /** RANDR of the question. */
  readonly rand: Uint8Array;
  readonly kms: MikeyIdentity;
  /** MPKs first. */
  readonly keys: readonly KeyDataPayload[];
}

/** REQUEST_RESP (RFC 6043 4.2.1.5), covered together with the whole question. */
export function sealRequestResponse(answer: KmsAnswer, ticket: TicketPayload, question: Uint8Array): Uint8Array {
  const { suite, csbId, timestamp } = answer;
  const keys = messageKeys(suite, answer.psk, csbId, 'response', { initiator: answer.rand });
  const payloads: Payload[] = [
    timestamp,
    identityPayload(idRole.kms, answer.kms),
    ticket,
    sealKeys(answer.keys, keys, csbId, timestamp),
  ];
  const header = kmsHeader(dataType.requestResp, suite, csbId, false);
  return sealMessage({ header, payloads }, keys, [question]).bytes;
}

/** Who the KMS took the responder for, and its random value: both stand in RESOLVE_RESP with forking only (reading [A32]). */
export interface ResolveFork {
  readonly responder: MikeyIdentity;
  readonly rand: Uint8Array;
}

/** RESOLVE_RESP (RFC 6043 4.2.3.5), covered together with the whole question. */
export function sealResolveResponse(
  answer: KmsAnswer,
  fork: ResolveFork | undefined,
  question: Uint8Array,
): Uint8Array {
  const { suite, csbId, timestamp } = answer;
  const keys = messageKeys(suite, answer.psk, csbId, 'response', { responder: answer.rand });
  const forkPayloads: Payload[] =
    fork === undefined
      ? []
      : [identityPayload(idRole.responder, fork.responder), { payload: 'RANDR', role: randRole.kms, value: fork.rand }];
  const payloads: Payload[] = [
    timestamp,
    identityPayload(idRole.kms, answer.kms),
    sealKeys(answer.keys, keys, csbId, timestamp),
    ...forkPayloads,
  ];
  const header = kmsHeader(dataType.resolveResp, suite, csbId, false);
  return sealMessage({ header, payloads }, keys, [question]).bytes;
}

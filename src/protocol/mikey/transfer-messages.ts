import type { SecretBytes } from '../../base/secret-bytes.ts';
import { makeInitiatorData } from './base-ticket.ts';
import { dataType, idRole, randRole } from './code-points.ts';
import type { MikeyIdentity } from './identity.ts';
import type { CryptoSession, MikeyHeader } from './message.ts';
import { identityPayload } from './payload-access.ts';
import type {
  GeneralExtensionPayload,
  Payload,
  SecurityPolicyPayload,
  TicketPayload,
  TimestampPayload,
} from './payloads.ts';
import { messageKeys, sealMessage, suiteOfPrf, type ProtectionKeys, type SuiteParameters } from './protection.ts';
import type { ExchangeRands } from './derivation.ts';
import type { TicketKey } from './key-types.ts';
import { suppliedKemac } from './update-messages.ts';

/** Every value of a TRANSFER_INIT. */
export interface TransferInit {
  readonly suite: SuiteParameters;
  readonly csbId: number;
  readonly timestamp: TimestampPayload;
  readonly rand: Uint8Array;
  readonly initiator: MikeyIdentity;
  readonly responder: MikeyIdentity;
  readonly sessions: readonly CryptoSession[];
  readonly policies: readonly SecurityPolicyPayload[];
  readonly ticket: TicketPayload;
  readonly extensions: readonly GeneralExtensionPayload[];
  /** Keys of the initiator (flag L). */
  readonly suppliedKeys?: readonly TicketKey[];
  readonly mpki: SecretBytes;
  /** Present exactly when the ticket forks keys. */
  readonly mpkr: SecretBytes | undefined;
}

function transferHeader(init: TransferInit): MikeyHeader {
  return {
    dataType: dataType.transferInit,
    // Reading [A6]: V says what flag F says.
    answerWanted: init.ticket.policy.flags.F,
    prf: init.suite.prf,
    csbId: init.csbId,
    map: { type: 'generic', sessions: init.sessions },
  };
}

function transferPayloads(init: TransferInit, initiatorData: Uint8Array, keys: ProtectionKeys): Payload[] {
  return [
    init.timestamp,
    { payload: 'RANDR', role: randRole.initiator, value: init.rand },
    identityPayload(idRole.initiator, init.initiator),
    identityPayload(idRole.responder, init.responder),
    ...init.policies,
    { ...init.ticket, initiatorData },
    ...suppliedKemac(init.suppliedKeys ?? [], keys, init.csbId, init.timestamp),
    ...init.extensions,
  ];
}

/**
 * TRANSFER_INIT (RFC 6043 4.2.2.1), covered without Initiator Data but with both identities.
 * With forking, Initiator Data then binds this message to the initiator of the ticket.
 */
export function sealTransferInit(init: TransferInit): Uint8Array {
  const keys = messageKeys(init.suite, init.mpki, init.csbId, 'initial', { initiator: init.rand });
  const trailer = [init.initiator.data, init.responder.data];
  const seal = (initiatorData: Uint8Array): { readonly bytes: Uint8Array; readonly mac: Uint8Array } =>
    sealMessage(
      { header: transferHeader(init), payloads: transferPayloads(init, initiatorData, keys) },
      keys,
      trailer,
      true,
    );
  const bare = seal(new Uint8Array());
  if (init.mpkr === undefined) return bare.bytes;
  const ticketSuite = suiteOfPrf(init.ticket.policy.prf, 'mikey.policy.prf');
  return seal(init.mpkr.use((mpkr) => makeInitiatorData(ticketSuite, mpkr, bare.mac, init.suite))).bytes;
}

/** Every value of a TRANSFER_RESP. */
export interface TransferResponse {
  readonly suite: SuiteParameters;
  readonly csbId: number;
  readonly timestamp: TimestampPayload;
  /** RANDRi, and RANDRr exactly when flag G is set (reading [A31]). */
  readonly rands: ExchangeRands;
  readonly responder: MikeyIdentity;
  /** Echo of RESOLVE_RESP, with forking only (reading [A32]). */
  readonly kmsRand: Uint8Array | undefined;
  readonly sessions: readonly CryptoSession[];
  readonly policies: readonly SecurityPolicyPayload[];
  readonly extensions?: readonly GeneralExtensionPayload[];
  /** Keys of the responder (flag M). */
  readonly suppliedKeys?: readonly TicketKey[];
  /** MPKi, or with forking MPKr'. */
  readonly messageKey: SecretBytes;
}

/** TRANSFER_RESP (RFC 6043 4.2.2.3). Reading [A2]: covered together with TRANSFER_INIT as it was sent. */
export function sealTransferResponse(response: TransferResponse, transferInit: Uint8Array): Uint8Array {
  const { suite, csbId, rands, kmsRand } = response;
  const header: MikeyHeader = {
    dataType: dataType.transferResp,
    answerWanted: false,
    prf: suite.prf,
    csbId,
    map: { type: 'generic', sessions: response.sessions },
  };
  const rand = (role: number, value: Uint8Array | undefined): Payload[] =>
    value === undefined ? [] : [{ payload: 'RANDR', role, value }];
  const keys = messageKeys(suite, response.messageKey, csbId, 'response', rands);
  const payloads: Payload[] = [
    response.timestamp,
    ...rand(randRole.responder, rands.responder),
    identityPayload(idRole.responder, response.responder),
    ...rand(randRole.kms, kmsRand),
    ...response.policies,
    ...suppliedKemac(response.suppliedKeys ?? [], keys, csbId, response.timestamp),
    ...(response.extensions ?? []),
  ];
  return sealMessage({ header, payloads }, keys, [transferInit]).bytes;
}

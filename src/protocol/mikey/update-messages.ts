import { dataType, idRole } from './code-points.ts';
import type { MikeyIdentity } from './identity.ts';
import type { CryptoSession } from './message.ts';
import { identityPayload } from './payload-access.ts';
import type { KemacPayload, Payload, SecurityPolicyPayload, TimestampPayload } from './payloads.ts';
import { sealKeys, sealMessage, type ProtectionKeys } from './protection.ts';
import { suppliedKeyData } from './ticket-keys.ts';
import type { TicketKey } from './key-types.ts';

/** Every value of a message of a CSB update (RFC 6043 5.2). */
export interface UpdateMessage {
  /** Keys of the last message of the initial exchange (reading [A20]). */
  readonly keys: ProtectionKeys;
  readonly csbId: number;
  readonly timestamp: TimestampPayload;
  readonly sessions: readonly CryptoSession[];
  readonly policies: readonly SecurityPolicyPayload[];
  readonly suppliedKeys: readonly TicketKey[];
}

/** Keys of the sender; none, no payload. Reading [A5]: the IV takes the T of this very message. */
export function suppliedKemac(
  keys: readonly TicketKey[],
  protection: ProtectionKeys,
  csbId: number,
  timestamp: TimestampPayload,
): readonly KemacPayload[] {
  return keys.length === 0 ? [] : [sealKeys(keys.map(suppliedKeyData), protection, csbId, timestamp)];
}

/**
 * TRANSFER_INIT of an update: the sender's identity first, no RAND and no TICKET.
 * Reading [A21]: whoever starts it, roles are those of the initial exchange and the MAC covers Identity_i, then Identity_r.
 */
export function sealUpdate(
  update: UpdateMessage,
  parties: {
    readonly sender: 'initiator' | 'responder';
    readonly initiator: MikeyIdentity;
    readonly responder: MikeyIdentity;
  },
  answerWanted: boolean,
): Uint8Array {
  const { initiator, responder } = parties;
  const names = [identityPayload(idRole.initiator, initiator), identityPayload(idRole.responder, responder)];
  const payloads: Payload[] = [
    update.timestamp,
    ...(parties.sender === 'initiator' ? names : names.reverse()),
    ...update.policies,
    ...suppliedKemac(update.suppliedKeys, update.keys, update.csbId, update.timestamp),
  ];
  const header = {
    dataType: dataType.transferInit,
    answerWanted,
    prf: update.keys.suite.prf,
    csbId: update.csbId,
    map: { type: 'generic', sessions: update.sessions },
  } as const;
  return sealMessage({ header, payloads }, update.keys, [initiator.data, responder.data]).bytes;
}

/** TRANSFER_RESP of an update, covered together with the message that it answers. */
export function sealUpdateAnswer(
  update: UpdateMessage,
  sender: { readonly role: 'initiator' | 'responder'; readonly identity: MikeyIdentity },
  question: Uint8Array,
): Uint8Array {
  const payloads: Payload[] = [
    update.timestamp,
    identityPayload(idRole[sender.role], sender.identity),
    ...update.policies,
    ...suppliedKemac(update.suppliedKeys, update.keys, update.csbId, update.timestamp),
  ];
  const header = {
    dataType: dataType.transferResp,
    answerWanted: false,
    prf: update.keys.suite.prf,
    csbId: update.csbId,
    map: { type: 'generic', sessions: update.sessions },
  } as const;
  return sealMessage({ header, payloads }, update.keys, [question]).bytes;
}

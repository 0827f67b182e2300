import { randomU32, type Random } from '../../../src/base/random.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { utf8 } from '../../../src/base/bytes.ts';
import { hmacSha256 } from '../../../src/crypto/digest.ts';
import { profile } from '../../../src/protocol/profile.ts';
import {
  bytesIdentity,
  createTicketRequest,
  createTransfer,
  KmsMachine,
  messageTicketFlags,
  msrpTicketFlags,
  receiveTransfer,
  sameIdentity,
  uriIdentity,
  type GrantedTicket,
  type GrantJudge,
  type GrantRules,
  type KeyWish,
  type TimestampChoice,
  type KeyKind,
  type KmsOutcome,
  type KmsSubscriber,
  type MikeyIdentity,
  type MikeySuite,
  type ReceivedTransfer,
  type ResolvedTransfer,
  type TicketFlags,
  type Transfer,
} from '../../../src/protocol/mikey/index.ts';

import type { KeyDataPayload } from '../../../src/protocol/mikey/payloads.ts';
import { suites } from '../../../src/protocol/mikey/protection.ts';
import { keyData } from '../../../src/protocol/mikey/ticket-keys.ts';
import { requestedPolicy } from '../../../src/protocol/mikey/ticket-policy.ts';
import { sealRequestInit } from '../../../src/protocol/mikey/ticket-request.ts';
import { ntpTimestamp } from '../../../src/protocol/mikey/timestamp.ts';

/** Octets that differ from call to call and are the same in every run. */
export function repeatableRandom(seed = 'seed'): Random {
  let counter = 0;
  return {
    bytes: (length) => {
      const blocks = Array.from({ length: Math.ceil(length / 32) }, () => hmacSha256(utf8(seed), utf8(`${counter++}`)));
      return Uint8Array.from(blocks.flatMap((block) => [...block])).subarray(0, length);
    },
  };
}

export interface Party extends KmsSubscriber {
  readonly pskId: MikeyIdentity;
}

export function party(name: string): Party {
  const identity = uriIdentity(`sip:${name}@lab.test`);
  return {
    name,
    identity,
    psk: new SecretBytes(hmacSha256(utf8('psk'), utf8(name))),
    pskId: bytesIdentity(utf8(`${name}-key`)),
    owns: (other) => sameIdentity(other, identity),
  };
}

export const alice = party('alice');
export const bob = party('bob');
export const carol = party('carol');
export const kmsIdentity = uriIdentity('sip:kms.lab.test');
export const start = Date.UTC(2026, 0, 1);
export const protTypes = [profile.mikey.protTypeTls];

const rules = {
  startsBeforeIssueSeconds: profile.ticket.startsBeforeIssueSeconds,
  sessionLifetimeSeconds: profile.ticket.sessionLifetimeSeconds,
  messageLifetimeSeconds: profile.ticket.messageLifetimeSeconds,
};

export function makeKms(
  overrides: {
    parties?: readonly Party[];
    mayRequest?: boolean;
    tpk?: string;
    replayCapacity?: number;
    rules?: Partial<GrantRules>;
  } = {},
): KmsMachine {
  const parties = overrides.parties ?? [alice, bob, carol];
  const tpk = { id: bytesIdentity(utf8('tpk-1')), key: new SecretBytes(hmacSha256(utf8(overrides.tpk ?? 'tpk'))) };
  return new KmsMachine({
    identity: kmsIdentity,
    tpks: { current: tpk, find: (id) => (id !== undefined && sameIdentity(id, tpk.id) ? tpk.key : undefined) },
    directory: {
      findSubscriber: (pskId, claimed) =>
        parties.find((one) =>
          pskId === undefined ? claimed !== undefined && one.owns(claimed) : sameIdentity(one.pskId, pskId),
        ),
      mayRequest: () => overrides.mayRequest ?? true,
      responderFor: (subscriber, responders) => responders.find((responder) => subscriber.owns(responder)),
    },
    rules: { ...rules, ...overrides.rules },
    ...(overrides.replayCapacity === undefined ? {} : { replayCapacity: overrides.replayCapacity }),
    random: repeatableRandom('kms'),
  });
}

export const random = repeatableRandom('parties');

export interface RequestChanges {
  readonly suite?: MikeySuite;
  readonly flags?: TicketFlags;
  readonly keyKind?: KeyKind;
  readonly psk?: SecretBytes;
  readonly pskId?: MikeyIdentity;
  readonly responders?: readonly MikeyIdentity[];
  readonly validUntil?: number;
  readonly now?: number;
  readonly initiator?: MikeyIdentity;
  readonly kms?: MikeyIdentity;
  readonly keys?: readonly KeyWish[];
  readonly rekeyingSeconds?: number;
  readonly applications?: readonly MikeyIdentity[];
  readonly judge?: GrantJudge;
  readonly timestamp?: TimestampChoice;
}

export function request(from: Party, changes: RequestChanges = {}) {
  const now = changes.now ?? start;
  return createTicketRequest({
    suite: '256',
    psk: from.psk,
    pskId: from.pskId,
    initiator: from.identity,
    kms: kmsIdentity,
    responders: [bob.identity],
    flags: msrpTicketFlags,
    keyKind: 'TGK',
    validFrom: now - 300_000,
    validUntil: now + 24 * 3600_000,
    now,
    random,
    ...changes,
  });
}

/** A request that our own initiator would refuse to make: whatever flags are wished, under a right MAC. */
export function rawRequest(
  from: Party,
  changes: { flags: TicketFlags; keyKind?: KeyKind; suite?: MikeySuite; keys?: KeyDataPayload[] },
): Uint8Array {
  const suite = suites[changes.suite ?? '256'];
  return sealRequestInit({
    suite,
    psk: from.psk,
    pskId: from.pskId,
    csbId: randomU32(random),
    timestamp: ntpTimestamp(start),
    rand: random.bytes(32),
    initiator: from.identity,
    kms: kmsIdentity,
    policy: requestedPolicy({
      ticketType: profile.mikey.ticketType,
      suite,
      flags: changes.flags,
      kms: kmsIdentity,
      initiator: from.identity,
      responders: [bob.identity],
      validFrom: start - 300_000,
      validUntil: start + 3_600_000,
      keys: changes.keys ?? [keyData(changes.keyKind ?? 'TGK', new Uint8Array(suite.keyBits / 8), random.bytes(4))],
    }),
  });
}

export function answered(outcome: KmsOutcome): Uint8Array {
  if (outcome.outcome !== 'answered') throw new Error(`KMS: ${outcome.outcome}: ${outcome.error.message}`);
  return outcome.message;
}

export async function obtain(kms: KmsMachine, from: Party, changes: RequestChanges = {}): Promise<GrantedTicket> {
  const asked = request(from, changes);
  const now = changes.now ?? start;
  return asked.accept(answered(await kms.handleTicketRequest(asked.message, now)), now);
}

export const messageTicket: RequestChanges = {
  flags: messageTicketFlags,
  keyKind: 'GTGK',
  validUntil: start + 7 * 24 * 3600_000,
};

export function hand(ticket: GrantedTicket, from: Party, to: MikeyIdentity, now = start): Transfer {
  return createTransfer({
    ticket,
    initiator: from.identity,
    responder: to,
    protType: profile.mikey.protTypeTls,
    csId: profile.mikey.crypto.csId,
    sdpIds: 'mikey',
    now,
    random,
  });
}

export function receive(message: Uint8Array, self: Party, now = start): ReceivedTransfer {
  return receiveTransfer(message, { now, self: [self.identity], protTypes, checkFreshness: 'window' });
}

export function resolving(received: ReceivedTransfer, self: Party, now = start, psk = self.psk) {
  return received.createResolve({ psk, pskId: self.pskId, self: self.identity, kms: kmsIdentity, now, random });
}

export async function resolve(
  kms: KmsMachine,
  received: ReceivedTransfer,
  self: Party,
  now = start,
): Promise<ResolvedTransfer> {
  const asked = resolving(received, self, now);
  return asked.accept(answered(await kms.handleTicketResolve(asked.message, now)), now);
}

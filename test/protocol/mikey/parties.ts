import { randomU32, type Random } from '../../../src/base/random.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { toHex, utf8 } from '../../../src/base/bytes.ts';
import { ProtocolError } from '../../../src/base/errors.ts';
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
  type CryptoSessionBundle,
  type GrantedTicket,
  type TicketKey,
  type GrantJudge,
  type GrantRules,
  type KmsCounters,
  type KmsDirectory,
  type OfferedSessions,
  type ReceiveOptions,
  type RespondOptions,
  type TransferOptions,
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
    directory?: Partial<KmsDirectory>;
    counters?: KmsCounters;
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
      ...overrides.directory,
    },
    rules: { ...rules, ...overrides.rules },
    ...(overrides.replayCapacity === undefined ? {} : { replayCapacity: overrides.replayCapacity }),
    ...(overrides.counters === undefined ? {} : { counters: overrides.counters }),
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
  changes: {
    flags: TicketFlags;
    keyKind?: KeyKind;
    suite?: MikeySuite;
    ticketSuite?: MikeySuite;
    keys?: KeyDataPayload[];
    randOctets?: number;
  },
): Uint8Array {
  const suite = suites[changes.suite ?? '256'];
  const ticketSuite = suites[changes.ticketSuite ?? suite.name];
  return sealRequestInit({
    suite,
    psk: from.psk,
    pskId: from.pskId,
    csbId: randomU32(random),
    timestamp: ntpTimestamp(start),
    rand: random.bytes(changes.randOctets ?? 32),
    initiator: from.identity,
    kms: kmsIdentity,
    policy: requestedPolicy({
      ticketType: profile.mikey.ticketType,
      suite: ticketSuite,
      flags: changes.flags,
      kms: kmsIdentity,
      initiator: from.identity,
      responders: [bob.identity],
      validFrom: start - 300_000,
      validUntil: start + 3_600_000,
      keys: changes.keys ?? [
        keyData(changes.keyKind ?? 'TGK', new Uint8Array(ticketSuite.keyBits / 8), random.bytes(4)),
      ],
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

const oneSession: OfferedSessions = { protType: profile.mikey.protTypeTls, csId: profile.mikey.crypto.csId };

export function hand(
  ticket: GrantedTicket,
  from: Party,
  to: MikeyIdentity,
  now = start,
  changes: Partial<Omit<TransferOptions, 'sessions' | 'protType' | 'csId'>> = {},
  sessions: OfferedSessions = oneSession,
): Transfer {
  return createTransfer({
    ...sessions,
    ticket,
    initiator: from.identity,
    responder: to,
    sdpIds: 'mikey',
    now,
    random,
    ...changes,
  });
}

export function receive(
  message: Uint8Array,
  self: Party,
  now = start,
  changes: Partial<ReceiveOptions> = {},
): ReceivedTransfer {
  return receiveTransfer(message, { now, self: [self.identity], protTypes, checkFreshness: 'window', ...changes });
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

export interface ConnectOptions {
  readonly ticket: GrantedTicket;
  readonly kms?: KmsMachine;
  readonly transfer?: Parameters<typeof hand>[4];
  readonly sessions?: OfferedSessions;
  readonly receive?: Partial<ReceiveOptions>;
  readonly respond?: Partial<RespondOptions>;
  /** Opens the ticket in the place of the KMS. */
  readonly open?: (received: ReceivedTransfer) => ResolvedTransfer;
}

/** A whole Ticket Transfer from Alice to Bob; both ends of what it sets up. */
export async function connect(options: ConnectOptions): Promise<{
  readonly transfer: Transfer;
  readonly received: ReceivedTransfer;
  readonly resolved: ResolvedTransfer;
  readonly initiator: CryptoSessionBundle;
  readonly responder: CryptoSessionBundle;
  readonly answer: Uint8Array | undefined;
}> {
  const { ticket, kms = makeKms() } = options;
  const transfer = hand(ticket, alice, bob.identity, start, options.transfer, options.sessions);
  const received = receive(transfer.message, bob, start, options.receive);
  const resolved = options.open?.(received) ?? (await resolve(kms, received, bob));
  if (!ticket.flags.F) {
    const bundles = { initiator: transfer.bundle(), responder: resolved.bundle() };
    return { transfer, received, resolved, ...bundles, answer: undefined };
  }
  const answered = resolved.respond({ now: start, random, ...options.respond });
  const accepted = transfer.accept(answered.message, start);
  const bundles = { initiator: accepted.bundle, responder: answered.bundle };
  return { transfer, received, resolved, ...bundles, answer: answered.message };
}

/** Hexadecimal TEK, salt of 112 bits and SPI of a session: what both ends must agree on. */
export function keyOf(bundle: CryptoSessionBundle, csId = 1, position?: bigint): string {
  const { tek, salt, spi, kind } = bundle.sessionKey(csId, position === undefined ? {} : { position });
  return [kind, tek.use(toHex), toHex(salt(112)), toHex(spi)].join(' ');
}

/** What `action` throws; nothing thrown, and anything but a ProtocolError, fails the test. */
export function failing(action: () => unknown): ProtocolError {
  try {
    action();
  } catch (error) {
    if (error instanceof ProtocolError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** A session key of our own, as flags L and M let one supply it. */
export function suppliedKey(kind: KeyKind, changes: Partial<TicketKey> = {}): TicketKey {
  return { kind, key: new SecretBytes(random.bytes(32)), spi: random.bytes(4), ...changes };
}

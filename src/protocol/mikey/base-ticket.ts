import { ProtocolError } from '../../base/errors.ts';
import type { SecretBytes } from '../../base/secret-bytes.ts';
import { constantTimeEqual } from '../../crypto/constant-time.ts';
import { idRole, macAlgorithm, mikeyError } from './code-points.ts';
import { derivation, deriveKey, initiatorDataLabel, ticketCsbId, ticketLabel } from './derivation.ts';
import type { MikeyIdentity } from './identity.ts';
import type { TicketProtectionKey } from './key-types.ts';
import { identityInRole, identityPayload, requiredPayload } from './payload-access.ts';
import type { KeyDataPayload, Payload, TicketPayload, TicketPolicy, TimestampPayload } from './payloads.ts';
import {
  computeMac,
  emptyVerification,
  openKemac,
  protectionKeys,
  sealKeys,
  suiteOfPrf,
  type ProtectionKeys,
  type SuiteParameters,
} from './protection.ts';
import {
  decodeInitiatorData,
  decodeTicketData,
  encodeCoveredTicket,
  encodeInitiatorData,
  encodeTicketData,
} from './ticket-codec.ts';
import { refuseShortRands } from './rand-length.ts';
import { readKeyList, spiOf } from './ticket-keys.ts';
import { isCounter, timestampMilliseconds } from './timestamp.ts';

export interface BaseTicketContent {
  readonly policy: TicketPolicy;
  readonly tpk: TicketProtectionKey;
  readonly timestamp: TimestampPayload;
  readonly rand: Uint8Array;
  readonly mpk: KeyDataPayload;
  readonly keys: readonly KeyDataPayload[];
}

function ticketKeys(suite: SuiteParameters, tpk: SecretBytes, rand: Uint8Array): ProtectionKeys {
  return protectionKeys(suite, tpk, (constant) => ticketLabel(constant, 'tpk', rand));
}

function ticketMac(ticket: TicketPayload, macLength: number, keys: ProtectionKeys): Uint8Array {
  const covered = encodeCoveredTicket(ticket);
  return computeMac(keys.suite.mac, keys.authentication(), covered.subarray(0, covered.length - macLength));
}

/** Makes a MIKEY base ticket (RFC 6043 appendix A), Initiator Data empty. */
export function makeBaseTicket({ policy, tpk, timestamp, rand, mpk, keys }: BaseTicketContent): TicketPayload {
  const suite = suiteOfPrf(policy.prf, 'mikey.policy.prf');
  const protection = ticketKeys(suite, tpk.key, rand);
  const verification = emptyVerification(suite);
  const ticketData = encodeTicketData([
    { payload: 'THDR', data: new Uint8Array() },
    timestamp,
    { payload: 'RAND', value: rand },
    sealKeys([mpk, ...keys], protection, ticketCsbId, timestamp),
    identityPayload(idRole.psk, tpk.id),
    verification,
  ]);
  const ticket: TicketPayload = { payload: 'TICKET', policy, ticketData, initiatorData: new Uint8Array() };
  ticketData.set(ticketMac(ticket, verification.mac.length, protection), ticketData.length - verification.mac.length);
  return ticket;
}

/** MPKi and MPKr from the MPK of a ticket (RFC 6043 A.2.2). */
export function splitMpk(
  prf: number,
  mpk: Uint8Array,
  rand: Uint8Array,
): { readonly mpki: Uint8Array; readonly mpkr: Uint8Array } {
  const derive = (constant: number): Uint8Array =>
    deriveKey(prf, mpk, ticketLabel(constant, 'mpk', rand), mpk.length * 8);
  return { mpki: derive(derivation.mpki), mpkr: derive(derivation.mpkr) };
}

/**
 * T of the ticket, milliseconds since 1970: readable without any key, authentic only to who holds the TPK.
 * @returns `undefined` for a ticket that counts instead (RFC 6043 A.1).
 */
export function ticketIssuedAt(ticket: TicketPayload): number | undefined {
  const timestamp = requiredPayload(decodeTicketData(ticket.ticketData), 'T');
  return isCounter(timestamp)
    ? undefined
    : timestampMilliseconds(timestamp, 'mikey.TICKET.T', mikeyError.invalidTicket);
}

/** IDRpsk of the ticket: the name of its TPK. */
export function ticketTpkId(ticket: TicketPayload): MikeyIdentity | undefined {
  return identityInRole(decodeTicketData(ticket.ticketData), idRole.psk);
}

export interface OpenedTicket {
  readonly suite: SuiteParameters;
  readonly mpki: Uint8Array;
  readonly mpkr: Uint8Array;
  /** MPKi, MPKr and MPKr' repeat it (reading [A9]). */
  readonly mpkSpi: Uint8Array;
  readonly keys: readonly KeyDataPayload[];
}

function refuseTicket(problem: string, field: string): never {
  throw new ProtocolError('peer-misbehaved', problem, {
    field: `mikey.TICKET.${field}`,
    hint: { mikey: mikeyError.invalidTicket },
  });
}

/** @throws ProtocolError with the number for "ticket not accepted" unless the ticket is one that a known TPK protects. */
export function openBaseTicket(
  ticket: TicketPayload,
  findTpk: (id: MikeyIdentity | undefined) => SecretBytes | undefined,
): OpenedTicket {
  const suite = suiteOfPrf(ticket.policy.prf, 'mikey.policy.prf');
  const payloads = decodeTicketData(ticket.ticketData);
  const timestamp = requiredPayload(payloads, 'T');
  const rand = requiredPayload(payloads, 'RAND').value;
  const kemac = requiredPayload(payloads, 'KEMAC');
  const tpk = findTpk(identityInRole(payloads, idRole.psk));
  if (tpk === undefined) return refuseTicket('unknown ticket protection key', 'IDRpsk');
  const protection = ticketKeys(suite, tpk, rand);
  verifyTicket(ticket, payloads, protection);
  const { mpks, keys } = readKeyList(openKemac(kemac, protection, ticketCsbId, timestamp), 1, suite);
  const [mpk] = mpks;
  const longest = [mpk, ...tpk.use((octets) => [{ key: new Uint8Array(octets.length) }])];
  refuseShortRands(rand, longest, 'mikey.TICKET.RAND', mikeyError.invalidTicket);
  return { suite, ...splitMpk(suite.prf, mpk.key, rand), mpkSpi: spiOf(mpk), keys };
}

function verifyTicket(ticket: TicketPayload, payloads: readonly Payload[], keys: ProtectionKeys): void {
  const verification = payloads.at(-1);
  if (verification?.payload !== 'V' || verification.macAlgorithm !== keys.suite.mac) {
    return refuseTicket('not protected as its PRF demands', 'V');
  }
  if (!constantTimeEqual(ticketMac(ticket, verification.mac.length, keys), verification.mac)) {
    refuseTicket('authentication failed', 'V');
  }
}

/**
 * Vi and Vr (RFC 6043 6.10). Readings [A3] and [A4]: Vi repeats algorithm and MAC of the message's V with a Next Payload of its own;
 * Vr is made under MPKr, never forked, with the PRF of the ticket.
 */
export function makeInitiatorData(
  ticketSuite: SuiteParameters,
  mpkr: Uint8Array,
  messageMac: Uint8Array,
  messageSuite: SuiteParameters = ticketSuite,
): Uint8Array {
  const { mac } = messageSuite;
  const empty = emptyVerification(messageSuite);
  const data = encodeInitiatorData([{ payload: 'V', macAlgorithm: mac, mac: messageMac }, empty]);
  const covered = data.subarray(0, data.length - empty.mac.length);
  data.set(
    computeMac(mac, initiatorDataKey(ticketSuite, mpkr, messageSuite.authenticationBits), covered),
    covered.length,
  );
  return data;
}

/** The key of Vr. Reading [A4]: made with the ticket's PRF, which alone the KMS knows; as long as the MAC algorithm wants. */
export function initiatorDataKey(
  suite: SuiteParameters,
  mpkr: Uint8Array,
  bits: number = suite.authenticationBits,
): Uint8Array {
  return deriveKey(suite.prf, mpkr, initiatorDataLabel(), bits);
}

/** Splits Initiator Data in its two V payloads, which use one algorithm (RFC 6043 6.10). */
export function readInitiatorData(initiatorData: Uint8Array): {
  readonly vi: Uint8Array;
  readonly vr: Uint8Array;
  readonly macAlgorithm: number;
} {
  // "Unexpected payloads in the Initiator Data SHOULD be ignored": only Vr as the last one covers them.
  const payloads = decodeInitiatorData(initiatorData);
  const [vi, vr, ...more] = payloads.filter(({ payload }) => payload === 'V');
  if (vi?.payload !== 'V' || vr?.payload !== 'V' || more.length > 0 || payloads.at(-1) !== vr)
    return refuseTicket('not Vi and Vr', 'initiatorData');
  if (vi.macAlgorithm !== vr.macAlgorithm || vr.macAlgorithm === macAlgorithm.null)
    return refuseTicket('Vi and Vr differ in their algorithm', 'initiatorData');
  return { vi: vi.mac, vr: vr.mac, macAlgorithm: vr.macAlgorithm };
}

/** What the KMS checks on resolve: only the holder of MPKr, the ticket's own initiator, can have made Vr. */
export function verifyInitiatorData(suite: SuiteParameters, mpkr: Uint8Array, initiatorData: Uint8Array): void {
  const { vr, macAlgorithm: algorithm } = readInitiatorData(initiatorData);
  if (vr.length * 8 < suite.authenticationBits) refuseTicket('a MAC weaker than the ticket', 'Vr');
  const covered = initiatorData.subarray(0, initiatorData.length - vr.length);
  const key = initiatorDataKey(suite, mpkr, vr.length * 8);
  if (!constantTimeEqual(computeMac(algorithm, key, covered), vr)) {
    refuseTicket('the ticket was not sent by its initiator', 'Vr');
  }
}

/** Reading [A18]: without forking nothing covers Initiator Data, so it must be empty; with forking it must not. */
export function checkInitiatorDataPresence(ticket: TicketPayload): void {
  if (ticket.policy.flags.I !== ticket.initiatorData.length > 0) {
    refuseTicket('Initiator Data does not fit flag I', 'initiatorData');
  }
}

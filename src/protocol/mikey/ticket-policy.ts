import { ByteReader } from '../../base/byte-reader.ts';
import { ByteWriter } from '../../base/byte-writer.ts';
import { ProtocolError } from '../../base/errors.ts';
import { profile } from '../profile.ts';
import { encryption, idRole, macAlgorithm, mikeyError, timestampRole, timestampType } from './code-points.ts';
import type { TicketFlags } from './flags.ts';
import type { MikeyIdentity } from './identity.ts';
import { identitiesInRole, identityInRole, identityPayload, optionalPayload } from './payload-access.ts';
import type { KemacPayload, KeyDataPayload, Payload, TicketPolicy, TimestampRolePayload } from './payloads.ts';
import { suiteOfPrf, type SuiteParameters } from './protection.ts';
import { decodeKeyData, encodeKeyData } from './ticket-codec.ts';
import { ntpSeconds, timestampMilliseconds } from './timestamp.ts';

const baseTicketSubtype = 1;
const baseTicketVersion = 1;

/** A ticket policy in words. Times are milliseconds since 1970; an absent bound is no bound (reading [A15]). */
export interface PolicyContent {
  readonly suite: SuiteParameters;
  readonly flags: TicketFlags;
  readonly kms: MikeyIdentity | undefined;
  readonly initiator: MikeyIdentity | undefined;
  readonly responders: readonly MikeyIdentity[];
  readonly validFrom: number | undefined;
  readonly validUntil: number | undefined;
  /** TRr: most seconds between two rekeyings. */
  readonly rekeyingSeconds: number | undefined;
  /** IDRapp; empty means that every application may use the ticket. */
  readonly applications: readonly MikeyIdentity[];
  /** Keys that a request asks for, key octets all zero; never in a granted policy. */
  readonly wantedKeys: readonly KeyDataPayload[] | undefined;
}

function refusePolicy(problem: string, field: string, expected: string): never {
  throw new ProtocolError('peer-misbehaved', problem, {
    field: `mikey.policy.${field}`,
    expected,
    hint: { mikey: mikeyError.invalidTicketPolicy },
  });
}

/** One dependency of RFC 6043 6.10 that can be seen from outside. */
export interface FlagRule {
  /** As the RFC says it. */
  readonly clause: string;
  readonly expected: string;
  readonly holds: (flags: TicketFlags) => boolean;
}

/** `NOT G implies H` and `NOT H implies G` are one rule: at least one of the two. */
export const flagRules: readonly FlagRule[] = [
  { clause: 'NOT D implies L', expected: 'D or L', holds: (flags) => flags.D || flags.L },
  { clause: 'G implies F', expected: 'F with G', holds: (flags) => !flags.G || flags.F },
  { clause: 'NOT G implies H, NOT H implies G', expected: 'G or H', holds: (flags) => flags.G || flags.H },
  { clause: 'I implies E', expected: 'E with I', holds: (flags) => !flags.I || flags.E },
  { clause: 'K implies D', expected: 'D with K', holds: (flags) => !flags.K || flags.D },
  { clause: 'M implies F', expected: 'F with M', holds: (flags) => !flags.M || flags.F },
];

/** @throws ProtocolError with "ticket policy parameter not supported" unless every rule of RFC 6043 6.10 holds. */
export function checkFlags(flags: TicketFlags): void {
  for (const { holds, expected } of flagRules) {
    if (!holds(flags)) refusePolicy('contradictory flags', 'flags', expected);
  }
}

/** RFC 6043 6.10: without N or O the ticket wants processing that no specification at hand describes. */
export function checkPlainProcessing(flags: TicketFlags, who: 'initiator' | 'responder'): void {
  if (who === 'initiator' ? flags.N : flags.O) return;
  throw new ProtocolError('unsupported', 'the ticket wants processing that its type does not define', {
    field: 'mikey.policy.flags',
    expected: who === 'initiator' ? 'flag N' : 'flag O',
    hint: { mikey: mikeyError.invalidTicket },
  });
}

/** RFC 6043 6.10: with forking, a TGK is of use only to who learns the fork modifier from an answer. */
export function checkForkedTgk(flags: TicketFlags, hasTgk: boolean): void {
  if (flags.I && hasTgk && !flags.F) refusePolicy('a forked TGK without an answer', 'flags', 'F with I and a TGK');
}

/**
 * Reads a policy and refuses what we could not honour.
 * Reading [A35]: a time of issue (TRi) is ignored; so are payloads that have no meaning here.
 * @param options `ignoreK` for a TP, where the flag says nothing (RFC 6043 6.10).
 */
export function readPolicy(policy: TicketPolicy, { ignoreK = false }: { ignoreK?: boolean } = {}): PolicyContent {
  const accepted: readonly number[] = profile.mikey.ticketTypesAccepted;
  if (
    !accepted.includes(policy.ticketType) ||
    policy.subtype !== baseTicketSubtype ||
    policy.version !== baseTicketVersion
  ) {
    throw new ProtocolError('unsupported', `ticket type ${policy.ticketType}`, {
      field: 'mikey.policy.ticketType',
      expected: `type ${accepted.join(' or ')}, subtype 1, version 1`,
      hint: { mikey: mikeyError.invalidTicket },
    });
  }
  checkFlags(ignoreK ? { ...policy.flags, K: false } : policy.flags);
  const responders = identitiesInRole(policy.parameters, idRole.responder);
  if (responders.length === 0) refusePolicy('nobody may resolve this ticket', 'responders', 'at least one IDRr');
  return {
    suite: suiteOfPrf(policy.prf, 'mikey.policy.prf'),
    flags: policy.flags,
    kms: identityInRole(policy.parameters, idRole.kms),
    initiator: identityInRole(policy.parameters, idRole.initiator),
    responders,
    validFrom: boundInRole(policy.parameters, timestampRole.start),
    validUntil: boundInRole(policy.parameters, timestampRole.end),
    rekeyingSeconds: rekeyingOf(policy.parameters),
    applications: identitiesInRole(policy.parameters, idRole.application),
    wantedKeys: wantedKeysOf(policy.parameters),
  };
}

/** RFC 6043 6.10: TRr is a number of seconds in the form of NTP-UTC-32; none at all would be no time to use a key in. */
function rekeyingOf(parameters: readonly Payload[]): number | undefined {
  const found = optionalPayload(parameters, 'TR', (payload) => payload.role === timestampRole.rekeying);
  if (found === undefined) return undefined;
  if (found.timestampType !== timestampType.ntpUtc32) {
    refusePolicy(`timestamp type ${found.timestampType}`, 'TRr', 'NTP-UTC-32');
  }
  const seconds = new ByteReader(found.value).u32('mikey.policy.TRr');
  return seconds > 0 ? seconds : refusePolicy('no time between rekeyings', 'TRr', 'at least one second');
}

function boundInRole(parameters: readonly Payload[], role: number): number | undefined {
  const found = optionalPayload(parameters, 'TR', (payload) => payload.role === role);
  if (found === undefined) return undefined;
  return timestampMilliseconds(found, 'mikey.policy.TR', mikeyError.invalidTicketPolicy);
}

/** Reading [A11]: NULL encryption, NULL MAC, zero key octets; type, length and SPI are what is asked for. */
function wantedKeysOf(parameters: readonly Payload[]): readonly KeyDataPayload[] | undefined {
  const kemac = optionalPayload(parameters, 'KEMAC');
  if (kemac === undefined) return undefined;
  if (kemac.encryption !== encryption.null || kemac.macAlgorithm !== macAlgorithm.null) {
    refusePolicy('enciphered key wishes', 'KEMAC', 'NULL encryption and NULL MAC');
  }
  if (kemac.data.length === 0) return [];
  const wanted = decodeKeyData(kemac.data) as readonly KeyDataPayload[];
  if (wanted.some(({ key, salt }) => [...key, ...(salt ?? [])].some((octet) => octet !== 0))) {
    refusePolicy('key wishes with key octets', 'KEMAC', 'zero octets');
  }
  return wanted;
}

/** TRs or TRe in NTP-UTC-32. */
export function boundPayload(role: number, milliseconds: number): TimestampRolePayload {
  return { payload: 'TR', role, timestampType: timestampType.ntpUtc32, value: ntpSeconds(milliseconds) };
}

function wantedKeysPayload(keys: readonly KeyDataPayload[]): KemacPayload {
  return {
    payload: 'KEMAC',
    encryption: encryption.null,
    data: keys.length === 0 ? new Uint8Array() : encodeKeyData(keys),
    macAlgorithm: macAlgorithm.null,
    mac: new Uint8Array(),
  };
}

/** TRr: whole seconds in the place of the time (RFC 6043 6.10). */
export function rekeyingPayload(seconds: number): TimestampRolePayload {
  if (!Number.isInteger(seconds) || seconds < 1 || seconds >= 2 ** 32) {
    throw new ProtocolError('local', 'not a number of seconds', { field: 'policy.rekeyingSeconds' });
  }
  const value = new ByteWriter().u32(seconds).finish();
  return { payload: 'TR', role: timestampRole.rekeying, timestampType: timestampType.ntpUtc32, value };
}

export interface PolicyRequest {
  readonly ticketType: number;
  readonly suite: SuiteParameters;
  readonly flags: TicketFlags;
  readonly kms: MikeyIdentity;
  readonly initiator: MikeyIdentity;
  readonly responders: readonly MikeyIdentity[];
  readonly validFrom: number;
  readonly validUntil: number;
  readonly rekeyingSeconds?: number | undefined;
  readonly applications?: readonly MikeyIdentity[] | undefined;
  /** Key wishes; a policy that is not asked for but granted has none. */
  readonly keys: readonly KeyDataPayload[] | undefined;
}

/** The policy that REQUEST_INIT asks for or an initiator gives itself, TP Data in the order of RFC 6043 6.10. */
export function requestedPolicy(request: PolicyRequest): TicketPolicy {
  return {
    ticketType: request.ticketType,
    subtype: baseTicketSubtype,
    version: baseTicketVersion,
    prf: request.suite.prf,
    flags: request.flags,
    reserved: 0,
    parameters: [
      identityPayload(idRole.kms, request.kms),
      identityPayload(idRole.initiator, request.initiator),
      boundPayload(timestampRole.start, request.validFrom),
      boundPayload(timestampRole.end, request.validUntil),
      ...(request.rekeyingSeconds === undefined ? [] : [rekeyingPayload(request.rekeyingSeconds)]),
      ...(request.keys === undefined ? [] : [wantedKeysPayload(request.keys)]),
      ...(request.applications ?? []).map((application) => identityPayload(idRole.application, application)),
      ...request.responders.map((responder) => identityPayload(idRole.responder, responder)),
    ],
  };
}

/**
 * TRr counts from the time of issue: after it the keys of a ticket are too old for another session (RFC 6043 6.10).
 * @throws ProtocolError `expired`.
 */
export function refuseAfterRekeying(ticket: { readonly rekeyBy?: number | undefined }, now: number): void {
  if (ticket.rekeyBy === undefined || now <= ticket.rekeyBy) return;
  throw new ProtocolError('expired', "the ticket's keys are to be replaced", {
    field: 'mikey.TICKET.TRr',
    hint: { mikey: mikeyError.invalidTicket },
  });
}

/** Reading [A15]: both bounds belong to the ticket's life. */
export function refuseOutsideLife(
  life: { readonly validFrom?: number | undefined; readonly validUntil?: number | undefined },
  now: number,
): void {
  const { validFrom = -Infinity, validUntil = Infinity } = life;
  if (now >= validFrom && now <= validUntil) return;
  throw new ProtocolError('expired', now < validFrom ? 'the ticket is not valid yet' : 'the ticket has expired', {
    field: 'mikey.TICKET.validity',
    hint: { mikey: mikeyError.invalidTicket },
  });
}

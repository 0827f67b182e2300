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

const dependencies: readonly (readonly [(flags: TicketFlags) => boolean, string])[] = [
  [(flags) => flags.D || flags.L, 'D or L'],
  [(flags) => !flags.G || flags.F, 'F with G'],
  [(flags) => flags.G || flags.H, 'G or H'],
  [(flags) => !flags.I || flags.E, 'E with I'],
  [(flags) => !flags.K || flags.D, 'D with K'],
  [(flags) => !flags.M || flags.F, 'F with M'],
];

/** RFC 6043 6.10, the list of flag dependencies that can be seen from outside. */
function checkFlags(flags: TicketFlags): void {
  for (const [holds, expected] of dependencies) {
    if (!holds(flags)) refusePolicy('contradictory flags', 'flags', expected);
  }
}

/** RFC 6043 6.10: with forking, a TGK is of use only to who learns the fork modifier from an answer. */
export function checkForkedTgk(flags: TicketFlags, hasTgk: boolean): void {
  if (flags.I && hasTgk && !flags.F) refusePolicy('a forked TGK without an answer', 'flags', 'F with I and a TGK');
}

/**
 * Reads a policy and refuses what we could not honour.
 * Reading [A35]: a time of issue (TRi) is ignored; so are applications (IDRapp) and the rekeying interval.
 */
export function readPolicy(policy: TicketPolicy): PolicyContent {
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
  checkFlags(policy.flags);
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
    wantedKeys: wantedKeysOf(policy.parameters),
  };
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
    data: encodeKeyData(keys),
    macAlgorithm: macAlgorithm.null,
    mac: new Uint8Array(),
  };
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
  readonly keys: readonly KeyDataPayload[];
}

/** The policy that REQUEST_INIT asks for, TP Data in the order of RFC 6043 6.10. */
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
      wantedKeysPayload(request.keys),
      ...request.responders.map((responder) => identityPayload(idRole.responder, responder)),
    ],
  };
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

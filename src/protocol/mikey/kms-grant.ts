import { equalBytes } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import { idRole, mikeyError, timestampRole } from './code-points.ts';
import type { TicketFlags } from './flags.ts';
import { sameIdentity, type MikeyIdentity } from './identity.ts';
import { identityPayload } from './payload-access.ts';
import type { KeyDataPayload, Payload, TicketPolicy, TimestampRolePayload } from './payloads.ts';
import type { SuiteParameters } from './protection.ts';
import { freshSpi } from './ticket-request.ts';
import { encodePolicy } from './ticket-codec.ts';
import { keyData, kindOf } from './ticket-keys.ts';
import { boundPayload, rekeyingPayload, type PolicyContent } from './ticket-policy.ts';

const maxIssuedKeys = 4;
const minKeyOctets = 16;
const maxKeyOctets = 32;

/** How long tickets live; the operator's choice (profile 3.6 and 5.5). */
export interface GrantRules {
  /** A ticket's life begins at most this long before it is issued. */
  readonly startsBeforeIssueSeconds: number;
  /** Longest life of a ticket that is answered (F=1). */
  readonly sessionLifetimeSeconds: number;
  /** Longest life of a one-way ticket (F=0), which must outlive the store-and-forward of messages. */
  readonly messageLifetimeSeconds: number;
  /** Longest TRr; a ticket that asks for a longer one, or none, gets this. Absent: as asked. */
  readonly rekeyingSeconds?: number;
  /** Initiator and responder may bring in keys that the KMS never sees (flags L and M); not when absent. */
  readonly suppliedKeys?: boolean;
  /** Tickets may be used again (flag J); they may when absent. */
  readonly reuse?: boolean;
  /** Users may make tickets themselves, under the key that they share with the KMS (mode 3); not when absent. */
  readonly ticketsMadeByUsers?: boolean;
}

export interface GrantContext {
  readonly identity: MikeyIdentity;
  readonly asker: MikeyIdentity;
  readonly suite: SuiteParameters;
  readonly rules: GrantRules;
  readonly now: number;
  /** The ticket will be protected by a key that the responder knows too (mode 2). */
  readonly responderHoldsTpk?: boolean;
}

function refuseWish(problem: string, expected: string): never {
  throw new ProtocolError('policy-denied', problem, {
    field: 'mikey.TP',
    expected,
    hint: { mikey: mikeyError.invalidTicketPolicy },
  });
}

/**
 * D is ours by what we do; a ticket that we alone can open is resolved here, whatever was asked (E). L and M would bring in keys
 * that we never saw. N and O say that a base ticket needs nothing beyond RFC 6043, which is so.
 */
function grantFlags(flags: TicketFlags, { rules, responderHoldsTpk = false }: GrantContext): TicketFlags {
  if (!flags.D) refuseWish('a ticket that is not made here', 'flag D');
  const supplied = rules.suppliedKeys ?? false;
  return {
    ...flags,
    E: flags.E || !responderHoldsTpk,
    J: flags.J && (rules.reuse ?? true),
    K: false,
    L: flags.L && supplied,
    M: flags.M && supplied,
    N: true,
    O: true,
  };
}

/**
 * The granted policy: what was asked for, with our bounds on its life, our name and the asker's in it, and no key wishes.
 * Reading [A10]: K tells that anything differs.
 */
export function grantPolicy(asked: TicketPolicy, content: PolicyContent, context: GrantContext): TicketPolicy {
  const { suite, rules, now } = context;
  refuseWeakerCover(suite, content.suite, 'mikey.TP.prf');
  if (content.kms !== undefined && !sameIdentity(content.kms, context.identity)) {
    refuseWish('a ticket in the name of another KMS', 'our own IDRkms');
  }
  const flags = grantFlags(asked.flags, context);
  const lifetime = flags.F ? rules.sessionLifetimeSeconds : rules.messageLifetimeSeconds;
  // Twice the margin: our clock and the asker's may differ by as much again.
  const earliest = now - 2 * rules.startsBeforeIssueSeconds * 1000;
  const latest = now + lifetime * 1000;
  const validFrom = content.validFrom ?? -Infinity;
  const validUntil = content.validUntil ?? Infinity;
  if (validUntil < now || validFrom > latest || validFrom > validUntil)
    refuseWish('no life', 'TRs before TRe, TRe ahead');
  const start = validFrom < earliest ? now - rules.startsBeforeIssueSeconds * 1000 : undefined;
  const end = validUntil > latest ? latest : undefined;
  const rekeying =
    rules.rekeyingSeconds !== undefined && (content.rekeyingSeconds ?? Infinity) > rules.rekeyingSeconds
      ? rekeyingPayload(rules.rekeyingSeconds)
      : undefined;
  const bounds = [
    ...(start === undefined ? [] : [boundPayload(timestampRole.start, start)]),
    ...(end === undefined ? [] : [boundPayload(timestampRole.end, end)]),
    ...(rekeying === undefined ? [] : [rekeying]),
  ];
  const parameters = boundedParameters(asked.parameters, bounds, namesToAdd(content, context));
  const granted = { ...asked, reserved: 0, flags, parameters };
  return { ...granted, flags: { ...flags, K: differs(asked, granted) } };
}

/**
 * What an operator rules for tickets holds for those that users make, too (mode 3): nobody gets round it by asking for none. That their
 * makers choose the keys (L) is what such tickets are.
 * @throws ProtocolError with the number for ticket policy.
 */
export function refuseAgainstRules(content: PolicyContent, rules: GrantRules): void {
  const { flags, validFrom = -Infinity, validUntil = Infinity, rekeyingSeconds = Infinity } = content;
  const lifetime = flags.F ? rules.sessionLifetimeSeconds : rules.messageLifetimeSeconds;
  // As in a grant: two clocks may each differ by the margin.
  const longest = lifetime + 2 * rules.startsBeforeIssueSeconds;
  if (validUntil - validFrom > longest * 1000) refuseWish('a longer life than is granted here', `${longest} s`);
  if (flags.J && rules.reuse === false) refuseWish('a ticket that may be used again', 'flag J clear');
  if (flags.M && rules.suppliedKeys !== true) refuseWish('keys of the responder', 'flag M clear');
  if (rekeyingSeconds > (rules.rekeyingSeconds ?? Infinity)) {
    refuseWish('rarer new keys than are granted here', `TRr of ${String(rules.rekeyingSeconds)} s at most`);
  }
}

/** Reading [A10]: any other octet in type, PRF, flags or payloads counts, but for the key wishes and K itself. */
function differs(asked: TicketPolicy, granted: TicketPolicy): boolean {
  const parameters = asked.parameters.filter(({ payload }) => payload !== 'KEMAC');
  const wish = { ...asked, reserved: 0, flags: { ...asked.flags, K: false }, parameters };
  return !equalBytes(encodePolicy(wish), encodePolicy(granted));
}

/**
 * Reading [A17]: a message and a ticket each have algorithms of one strength, and the keys of a stronger ticket are too long
 * for a weaker message.
 */
export function refuseWeakerCover(cover: SuiteParameters, content: SuiteParameters, field: string): void {
  if (cover.keyBits >= content.keyBits) return;
  throw new ProtocolError('unsupported', 'a suite weaker than the ticket', {
    field,
    hint: { mikey: mikeyError.invalidPrf },
  });
}

/** RFC 6043 6.10: the granted policy should name both KMS and initiator. */
function namesToAdd(content: PolicyContent, { identity, asker }: GrantContext): Payload[] {
  return [
    ...(content.kms === undefined ? [identityPayload(idRole.kms, identity)] : []),
    ...(content.initiator === undefined ? [identityPayload(idRole.initiator, asker)] : []),
  ];
}

/** Keeps order and octets of everything that stays as it was asked for. */
function boundedParameters(
  asked: readonly Payload[],
  bounds: readonly TimestampRolePayload[],
  names: readonly Payload[],
): readonly Payload[] {
  const kept = asked.filter((payload) => payload.payload !== 'KEMAC');
  const boundFor = (payload: Payload): TimestampRolePayload | undefined =>
    payload.payload === 'TR' ? bounds.find(({ role }) => role === payload.role) : undefined;
  const missing = bounds.filter((bound) => !kept.some((payload) => boundFor(payload) === bound));
  return [...names, ...missing, ...kept.map((payload): Payload => boundFor(payload) ?? payload)];
}

/**
 * Fresh keys of the wanted kinds, lengths and names; without a wish one TGK (RFC 6043 4.2.1.5). Reading [A11]: type, KV and SPI
 * stay as they were asked for. No key at all is of use only where initiator or responder bring their own (RFC 6043 8).
 * @param suite the ticket's.
 */
export function keysToIssue(
  { wantedKeys, flags }: Pick<PolicyContent, 'wantedKeys' | 'flags'>,
  suite: SuiteParameters,
  random: Random,
): KeyDataPayload[] {
  if (wantedKeys?.length === 0 && !flags.L && !flags.M) refuseWish('no keys', 'keys, or flag L or M');
  if (wantedKeys === undefined) return [keyData('TGK', random.bytes(suite.keyBits / 8), freshSpi(random))];
  if (wantedKeys.length > maxIssuedKeys) refuseWish('too many keys', `at most ${maxIssuedKeys}`);
  return wantedKeys.map((wanted) => {
    kindOf(wanted);
    if (wanted.validity.kind !== 'spi' || wanted.validity.spi.length === 0) {
      // Reading [A33].
      refuseWish('a key without SPI', 'an SPI for every key');
    }
    if (wanted.salt !== undefined && wanted.salt.length > maxKeyOctets) refuseWish('salt length', '32 octets at most');
    const { length } = wanted.key;
    if (length < minKeyOctets || length > Math.min(maxKeyOctets, suite.keyBits / 8)) {
      refuseWish('key length', `${minKeyOctets} to ${suite.keyBits / 8} octets`);
    }
    const salt = wanted.salt === undefined ? {} : { salt: random.bytes(wanted.salt.length) };
    return { ...wanted, key: random.bytes(length), ...salt };
  });
}

import { ProtocolError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import { idRole, mikeyError, timestampRole } from './code-points.ts';
import type { TicketFlags } from './flags.ts';
import { sameIdentity, type MikeyIdentity } from './identity.ts';
import { identityPayload } from './payload-access.ts';
import type { KeyDataPayload, Payload, TicketPolicy } from './payloads.ts';
import type { SuiteParameters } from './protection.ts';
import { freshSpi } from './ticket-request.ts';
import { keyData, kindOf, spiOf } from './ticket-keys.ts';
import { boundPayload, type PolicyContent } from './ticket-policy.ts';

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
}

export interface GrantContext {
  readonly identity: MikeyIdentity;
  readonly asker: MikeyIdentity;
  readonly suite: SuiteParameters;
  readonly rules: GrantRules;
  readonly now: number;
}

function refuseWish(problem: string, expected: string): never {
  throw new ProtocolError('policy-denied', problem, {
    field: 'mikey.TP',
    expected,
    hint: { mikey: mikeyError.invalidTicketPolicy },
  });
}

/** D and E are ours by what we do; L and M would bring in keys that we never saw. */
function grantFlags(flags: TicketFlags): TicketFlags {
  if (!flags.D || !flags.E) refuseWish('a ticket that is not made and resolved here', 'flags D and E');
  return { ...flags, L: false, M: false, K: false };
}

/**
 * The granted policy: what was asked for, with our bounds on its life, our name and the asker's in it, and no key wishes.
 * Reading [A10]: K tells that anything differs.
 */
export function grantPolicy(asked: TicketPolicy, content: PolicyContent, context: GrantContext): TicketPolicy {
  const { suite, rules, now } = context;
  if (content.suite.name !== suite.name) {
    throw new ProtocolError('unsupported', 'PRFs of message and ticket differ', {
      field: 'mikey.TP.prf',
      hint: { mikey: mikeyError.invalidPrf },
    });
  }
  if (content.kms !== undefined && !sameIdentity(content.kms, context.identity)) {
    refuseWish('a ticket in the name of another KMS', 'our own IDRkms');
  }
  const flags = grantFlags(asked.flags);
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
  const parameters = boundedParameters(asked.parameters, start, end, namesToAdd(content, context));
  const changed =
    start !== undefined ||
    end !== undefined ||
    flags.L !== asked.flags.L ||
    flags.M !== asked.flags.M ||
    parameters.length !== asked.parameters.filter(({ payload }) => payload !== 'KEMAC').length;
  return { ...asked, reserved: 0, flags: { ...flags, K: changed }, parameters };
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
  start: number | undefined,
  end: number | undefined,
  names: readonly Payload[],
): readonly Payload[] {
  const roles: readonly (readonly [role: number, bound: number])[] = [
    ...(start === undefined ? [] : [[timestampRole.start, start] as const]),
    ...(end === undefined ? [] : [[timestampRole.end, end] as const]),
  ];
  const isReplaced = (payload: Payload): boolean =>
    payload.payload === 'TR' && roles.some(([role]) => role === payload.role);
  const kept = asked.filter((payload) => payload.payload !== 'KEMAC');
  const missing = roles.filter(([role]) => !kept.some((payload) => payload.payload === 'TR' && payload.role === role));
  const replaced = kept.map((payload): Payload => {
    const bound =
      isReplaced(payload) && payload.payload === 'TR' ? roles.find(([role]) => role === payload.role) : undefined;
    return bound === undefined ? payload : boundPayload(...bound);
  });
  return [...names, ...missing.map((bound) => boundPayload(...bound)), ...replaced];
}

/** Fresh keys of the wanted kinds, lengths and names; without a wish one TGK (RFC 6043 4.2.1.1). */
export function keysToIssue({ wantedKeys }: PolicyContent, suite: SuiteParameters, random: Random): KeyDataPayload[] {
  if (wantedKeys === undefined) return [keyData('TGK', random.bytes(suite.keyBits / 8), freshSpi(random))];
  if (wantedKeys.length > maxIssuedKeys) refuseWish('too many keys', `at most ${maxIssuedKeys}`);
  return wantedKeys.map((wanted) => {
    kindOf(wanted);
    spiOf(wanted);
    const { length } = wanted.key;
    if (length < minKeyOctets || length > Math.min(maxKeyOctets, suite.keyBits / 8)) {
      refuseWish('key length', `${minKeyOctets} to ${suite.keyBits / 8} octets`);
    }
    const salt = wanted.salt === undefined ? {} : { salt: random.bytes(wanted.salt.length) };
    return { ...wanted, key: random.bytes(length), ...salt };
  });
}

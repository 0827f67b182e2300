import { ProtocolError } from '../../base/errors.ts';
import { SecretBytes } from '../../base/secret-bytes.ts';
import { ticketIssuedAt } from './base-ticket.ts';
import { mikeyError } from './code-points.ts';
import { flagNames } from './flags.ts';
import { acceptsStricter, neverGranted, type GrantDifference } from './grant-judge.ts';
import { sameIdentity, type MikeyIdentity } from './identity.ts';
import type { KeyDataPayload, TicketPayload, TicketPolicy } from './payloads.ts';
import { refuseShortRands } from './rand-length.ts';
import type { SuiteParameters } from './protection.ts';
import { kindOf, ticketKey, type KeyList } from './ticket-keys.ts';
import {
  checkForkedTgk,
  checkPlainProcessing,
  readPolicy,
  refuseOutsideLife,
  type PolicyContent,
} from './ticket-policy.ts';
import type { GrantedTicket, TicketRequestOptions } from './types.ts';

/** What a granted ticket is held against. */
export interface AskedFor {
  readonly suite: SuiteParameters;
  readonly kms: MikeyIdentity;
  readonly policy: TicketPolicy;
  /** RANDRi of the request. */
  readonly rand: Uint8Array;
}

function refuseGrant(problem: string, field: string): never {
  throw new ProtocolError('policy-denied', problem, {
    field: `mikey.granted.${field}`,
    hint: { mikey: mikeyError.invalidTicketPolicy },
  });
}

/**
 * The ticket of an authentic REQUEST_RESP, if it protects no worse than what was asked for (RFC 6043 4.2.1.6).
 * @param answeredBy IDRkms of the answer.
 * @throws ProtocolError `policy-denied` otherwise.
 */
export function grantedTicket(
  asked: AskedFor,
  options: TicketRequestOptions,
  ticket: TicketPayload,
  answeredBy: MikeyIdentity | undefined,
  list: KeyList,
  now: number,
): GrantedTicket {
  if (answeredBy !== undefined && !sameIdentity(answeredBy, asked.kms)) refuseGrant('another KMS answered', 'kms');
  const granted = checkGrant(options, asked.policy, ticket);
  refuseOutsideLife(granted, now);
  checkPlainProcessing(granted.flags, 'initiator');
  checkKeys(requiredKeys(asked.policy), list.keys);
  checkForkedTgk(
    granted.flags,
    list.keys.some((key) => kindOf(key) === 'TGK'),
  );
  refuseShortRands(asked.rand, [...list.mpks, ...list.keys], 'mikey.REQUEST_INIT.RANDRi');
  const [mpki, mpkr] = list.mpks;
  return {
    ...ticketOfPolicy(granted, ticket, now),
    initiator: options.initiator,
    kms: options.kms,
    mpki: new SecretBytes(mpki.key),
    ...(mpkr === undefined ? {} : { mpkr: new SecretBytes(mpkr.key) }),
    keys: list.keys.map(ticketKey),
  };
}

/** The part of a granted ticket that its policy and its own T tell. */
export function ticketOfPolicy(
  policy: PolicyContent,
  ticketPayload: TicketPayload,
  now: number,
): Omit<GrantedTicket, 'initiator' | 'kms' | 'mpki' | 'mpkr' | 'keys'> {
  const { validFrom, validUntil, rekeyingSeconds, applications } = policy;
  // A ticket may count instead of telling the time (RFC 6043 A.1): then it is as old as its arrival at least.
  const issuedAt = ticketIssuedAt(ticketPayload) ?? now;
  return {
    suite: policy.suite.name,
    ticketPayload,
    responders: policy.responders,
    issuedAt,
    ...(validFrom === undefined ? {} : { validFrom }),
    ...(validUntil === undefined ? {} : { validUntil }),
    ...(rekeyingSeconds === undefined ? {} : { rekeyingSeconds, rekeyBy: issuedAt + rekeyingSeconds * 1000 }),
    ...(applications.length === 0 ? {} : { applications }),
    flags: policy.flags,
  };
}

function requiredKeys(asked: TicketPolicy): readonly KeyDataPayload[] {
  return readPolicy(asked).wantedKeys ?? [];
}

/** Key by key: the kind that was asked for, as long at least, with a SALT as long at least, and nothing besides. */
function checkKeys(wanted: readonly KeyDataPayload[], granted: readonly KeyDataPayload[]): void {
  if (granted.length !== wanted.length) refuseGrant(granted.length === 0 ? 'no session key' : 'other keys', 'keys');
  wanted.forEach((wish, index) => {
    const key = granted[index];
    if (
      key === undefined ||
      kindOf(key) !== kindOf(wish) ||
      key.key.length < wish.key.length ||
      (key.salt?.length ?? 0) < (wish.salt?.length ?? 0)
    ) {
      refuseGrant('another kind of key', 'keys');
    }
  });
}

/**
 * Every difference between wish and grant is either refused for what it loses or put to the caller's judge. Whether the KMS says
 * that it changed something (flag K) is not relied on: reading [A10] has it set for names that the KMS adds, and others may not.
 */
function checkGrant(options: TicketRequestOptions, asked: TicketPolicy, ticket: TicketPayload): PolicyContent {
  const granted = readPolicy(ticket.policy);
  const wish = readPolicy(asked);
  if (ticket.initiatorData.length > 0) refuseGrant('Initiator Data from the KMS', 'initiatorData');
  if (ticket.policy.ticketType !== asked.ticketType || ticket.policy.prf !== asked.prf) {
    refuseGrant('another ticket type or PRF', 'type');
  }
  if (granted.wantedKeys !== undefined) refuseGrant('key wishes in a granted policy', 'KEMAC');
  if (granted.kms !== undefined && !sameIdentity(granted.kms, options.kms)) refuseGrant('another KMS', 'kms');
  if (granted.initiator !== undefined && !sameIdentity(granted.initiator, options.initiator)) {
    refuseGrant('another initiator', 'initiator');
  }
  const judge = options.judge ?? acceptsStricter;
  for (const difference of differences(wish, granted)) {
    if (!judge(difference)) {
      const what = difference.what === 'flag' ? `flag ${difference.name} changed` : `another ${difference.what}`;
      refuseGrant(what, difference.what === 'flag' ? 'flags' : difference.what);
    }
  }
  return granted;
}

function differences(wish: PolicyContent, granted: PolicyContent): readonly GrantDifference[] {
  const found: GrantDifference[] = [];
  for (const name of flagNames) {
    const value = granted.flags[name];
    if (name === 'K' || value === wish.flags[name]) continue;
    const lost = neverGranted.find((rule) => rule.name === name && rule.granted === value);
    if (lost !== undefined) refuseGrant(`flag ${name} changed, which loses ${lost.loses}`, 'flags');
    found.push({ what: 'flag', name, granted: value });
  }
  const asked = lifeOf(wish);
  const life = lifeOf(granted);
  if (life.from < asked.from || life.until > asked.until) refuseGrant('a longer life', 'life');
  if (life.from !== asked.from || life.until !== asked.until) found.push({ what: 'life' });
  if (life.rekeying > asked.rekeying) refuseGrant('rarer new keys', 'rekeying');
  if (life.rekeying !== asked.rekeying) found.push({ what: 'rekeying' });
  if (!isSubset(granted.responders, wish.responders)) refuseGrant('others may resolve the ticket', 'responders');
  if (!isSubset(wish.responders, granted.responders)) found.push({ what: 'fewer-responders' });
  found.push(...applicationDifference(wish.applications, granted.applications));
  return found;
}

/** What is not named has no bound. Milliseconds since 1970, seconds. */
function lifeOf({ validFrom = -Infinity, validUntil = Infinity, rekeyingSeconds = Infinity }: PolicyContent): {
  readonly from: number;
  readonly until: number;
  readonly rekeying: number;
} {
  return { from: validFrom, until: validUntil, rekeying: rekeyingSeconds };
}

/** No application named means all of them. */
function applicationDifference(
  wish: readonly MikeyIdentity[],
  granted: readonly MikeyIdentity[],
): readonly GrantDifference[] {
  if (isSubset(granted, wish) && isSubset(wish, granted)) return [];
  if (wish.length > 0 && (granted.length === 0 || !isSubset(granted, wish))) {
    refuseGrant('more applications may use the ticket', 'applications');
  }
  return [{ what: 'applications' }];
}

function isSubset(some: readonly MikeyIdentity[], all: readonly MikeyIdentity[]): boolean {
  return some.every((one) => all.some((other) => sameIdentity(one, other)));
}

import { ProtocolError } from '../../base/errors.ts';
import { SecretBytes } from '../../base/secret-bytes.ts';
import { profile } from '../profile.ts';
import { makeBaseTicket, splitMpk } from './base-ticket.ts';
import { ticketOfPolicy } from './granted-ticket.ts';
import { suites } from './protection.ts';
import { kindOf, mpkData, ticketKey } from './ticket-keys.ts';
import { checkForkedTgk, readPolicy, refuseOutsideLife, requestedPolicy } from './ticket-policy.ts';
import { freshSpi, refuseOwnFlags, wishedKeys } from './ticket-request.ts';
import { makeTimestamp } from './timestamp.ts';
import type { GrantedTicket, MakeTicketOptions } from './types.ts';

const refuse = (problem: string, field: string, expected?: string): never => {
  throw new ProtocolError('local', problem, {
    field: `makeTicket.${field}`,
    ...(expected === undefined ? {} : { expected }),
  });
};

/**
 * A base ticket of our own (RFC 6043 4.1.1, modes 3 and 4, and appendix A): no Ticket Request, the initiator chooses every key and
 * protects the ticket with a TPK that it shares with the KMS (E=1, mode 3) or with the responder (E=0, mode 4).
 * @throws ProtocolError `local` when the flags say that somebody else made it, or contradict each other.
 */
export function makeTicket(options: MakeTicketOptions): GrantedTicket {
  const { flags, random, now, responders, tpk } = options;
  const suite = suites[options.suite];
  refuseOwnFlags(flags, 'makeTicket.flags');
  if (flags.D) refuse('a ticket of the KMS', 'flags', 'D clear');
  if (responders.length === 0) refuse('nobody to talk to', 'responders');
  if (tpk.key.length < suite.keyBits / 8) refuse('short', 'tpk', `at least ${suite.keyBits / 8} octets`);
  const policy = requestedPolicy({
    ...options,
    suite,
    ticketType: options.ticketType ?? profile.mikey.ticketType,
    keys: undefined,
  });
  const content = readPolicy(policy);
  refuseOutsideLife(content, now);
  const keys = wishedKeys(options.keys, suite, random).map((wish) => ({
    ...wish,
    key: random.bytes(wish.key.length),
    ...(wish.salt === undefined ? {} : { salt: random.bytes(wish.salt.length) }),
  }));
  checkForkedTgk(
    flags,
    keys.some((key) => kindOf(key) === 'TGK'),
  );
  const rand = random.bytes(Math.max(profile.mikey.randOctets, tpk.key.length));
  // Reading [A16].
  const mpk = mpkData(random.bytes(suite.keyBits / 8), freshSpi(random));
  const timestamp = makeTimestamp(now, { type: 'ntp-utc' });
  const ticket = makeBaseTicket({ policy, tpk, timestamp, rand, mpk, keys });
  const { mpki, mpkr } = splitMpk(policy.prf, mpk.key, rand);
  return {
    ...ticketOfPolicy(content, ticket, now),
    initiator: options.initiator,
    kms: options.kms,
    mpki: new SecretBytes(mpki),
    ...(flags.I ? { mpkr: new SecretBytes(mpkr) } : {}),
    keys: keys.map(ticketKey),
  };
}

import type { Random } from '../../base/random.ts';
import {
  makeTicket,
  messageTicketFlags,
  msrpTicketFlags,
  uriIdentity,
  type GrantedTicket,
  type MikeyIdentity,
  type TicketFlags,
} from '../../protocol/mikey/index.ts';
import { profile } from '../../protocol/profile.ts';
import type { KmsConfig } from '../account-config.ts';
import { refuse } from '../refusal.ts';
import type { KmsKey } from './kms-credential-types.ts';
import type { TicketKind } from './ticket-cache.ts';

/** Mode 3: made by the initiator, resolved by the KMS (RFC 6043 4.1.1); NOT D implies L (6.10). */
const madeHere = (flags: TicketFlags): TicketFlags => ({ ...flags, D: false, L: true });

/**
 * A ticket that this account makes itself, under the key that it shares with its KMS and by the name of that key (profile 3.6). No
 * question is asked; the KMS sees the ticket when the recipient resolves it.
 * @param key of the account's credential.
 * @throws RefusalError `no-kms` for a credential that shares no key.
 */
export function makeOwnTicket(
  kms: Pick<KmsConfig, 'identity' | 'suite'>,
  key: KmsKey,
  ticket: {
    readonly self: MikeyIdentity;
    readonly recipients: readonly string[];
    readonly kind: TicketKind;
    readonly now: number;
    readonly random: Random;
  },
): GrantedTicket {
  if (!('psk' in key)) {
    throw refuse('no-kms', 'message', { happened: 'A ticket of our own needs a key that the KMS has too' });
  }
  const { self, recipients, kind, now, random } = ticket;
  const isSession = kind === 'session';
  const life = isSession ? profile.ticket.sessionLifetimeSeconds : profile.ticket.messageLifetimeSeconds;
  return makeTicket({
    suite: kms.suite,
    tpk: { id: key.pskId, key: key.psk },
    initiator: self,
    kms: uriIdentity(kms.identity),
    responders: recipients.map(uriIdentity),
    flags: madeHere(isSession ? msrpTicketFlags : messageTicketFlags),
    keys: [{ kind: isSession ? 'TGK' : 'GTGK' }],
    validFrom: now - profile.ticket.startsBeforeIssueSeconds * 1000,
    // A bootstrapped key that has ended opens nothing at the KMS any more.
    validUntil: Math.min(now + life * 1000, key.validUntil ?? Infinity),
    now,
    random,
  });
}

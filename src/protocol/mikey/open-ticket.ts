import { ProtocolError } from '../../base/errors.ts';
import { openBaseTicket } from './base-ticket.ts';
import type { CheckedTransfer } from './checked-transfer.ts';
import { mikeyError } from './code-points.ts';
import { sameIdentity, type MikeyIdentity } from './identity.ts';
import { resolvedTransfer } from './resolved-transfer.ts';
import { mpkData } from './ticket-keys.ts';
import type { OpenOptions, ResolvedTransfer } from './types.ts';

function refuse(problem: string, field: string, mikey: number): never {
  throw new ProtocolError('policy-denied', problem, { field: `mikey.TICKET.${field}`, hint: { mikey } });
}

/**
 * The responder opens the ticket itself: mode 2, the KMS protected it with a key that we share with it; mode 4, the initiator did
 * with one that we share with the initiator (RFC 6043 4.1.1). Without forking, since flag I wants the KMS (6.10: I implies E).
 */
export function openTransfer(checked: CheckedTransfer, options: OpenOptions): ResolvedTransfer {
  const { ticket, policy } = checked;
  const { flags } = policy;
  if (flags.E) refuse('the KMS must resolve this ticket', 'flags', mikeyError.invalidTicket);
  const { self, groups = [] } = options;
  // Reading [A27]: with no KMS to ask, our own identity and groups decide.
  const named = [self, ...groups].find((own) => policy.responders.some((responder) => sameIdentity(responder, own)));
  if (named === undefined) refuse('the ticket is for somebody else', 'IDRr', mikeyError.invalidIdentity);
  const opened = openBaseTicket(ticket, (id) => {
    const found = options.findTpk(id, { madeByKms: flags.D });
    // Whoever holds a TPK can put any name into a ticket: a key shared with one initiator vouches for that one only, and a ticket
    // that claims to be the KMS's must be protected with a key of the KMS.
    if (found === undefined || isForAnother(found.initiator, flags.D, policy.initiator)) return undefined;
    return found.key;
  });
  const mpks = [mpkData(opened.mpki, opened.mpkSpi)] as const;
  return resolvedTransfer(checked, { mpks, keys: opened.keys }, {}, options.now);
}

function isForAnother(
  holder: MikeyIdentity | undefined,
  madeByKms: boolean,
  claimed: MikeyIdentity | undefined,
): boolean {
  if (madeByKms) return holder !== undefined;
  return holder === undefined || claimed === undefined || !sameIdentity(holder, claimed);
}

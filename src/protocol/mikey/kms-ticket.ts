import { ProtocolError } from '../../base/errors.ts';
import type { SecretBytes } from '../../base/secret-bytes.ts';
import { openBaseTicket, ticketTpkId, type OpenedTicket } from './base-ticket.ts';
import { mikeyError } from './code-points.ts';
import { sameIdentity } from './identity.ts';
import type { TicketProtectionKey } from './key-types.ts';
import type { KmsDirectory, TpkRing } from './kms-types.ts';
import type { TicketPayload } from './payloads.ts';
import type { PolicyContent } from './ticket-policy.ts';

function refuseTicket(problem: string, field: string): never {
  throw new ProtocolError('peer-misbehaved', problem, {
    field: `mikey.TICKET.${field}`,
    hint: { mikey: mikeyError.invalidTicket },
  });
}

/**
 * Opens a ticket at the KMS under the one key that may protect it. Whoever holds a TPK can write any name into a ticket, so flag D and
 * the names decide which keys are looked at: ours for a ticket of ours, the maker's for a ticket that an initiator made (mode 3), and
 * the named responder's for one that the responder could open as well (mode 2).
 * @throws ProtocolError with "ticket not accepted".
 */
export async function openTicketAtKms(
  ticket: TicketPayload,
  policy: PolicyContent,
  { tpks, directory }: { readonly tpks: TpkRing; readonly directory: KmsDirectory },
): Promise<OpenedTicket> {
  const id = ticketTpkId(ticket);
  const key = policy.flags.D
    ? (tpks.find(id) ?? (await sharedKey(ticket, policy, directory)) ?? (await tpks.learn?.(id)))
    : await makersKey(ticket, policy, directory);
  return openBaseTicket(ticket, () => key);
}

/** Mode 2: only a key that the ticket's own responder holds, or it could speak in the KMS's name to others. */
async function sharedKey(
  ticket: TicketPayload,
  { flags, responders }: PolicyContent,
  directory: KmsDirectory,
): Promise<SecretBytes | undefined> {
  if (flags.E) return undefined;
  const shared = await sharedTpkFor(responders, directory);
  const id = ticketTpkId(ticket);
  return shared !== undefined && id !== undefined && sameIdentity(shared.id, id) ? shared.key : undefined;
}

/** The key that a ticket's responder shares with the KMS; a base ticket has room for one, so for one responder. */
export async function sharedTpkFor(
  responders: PolicyContent['responders'],
  directory: KmsDirectory,
): Promise<TicketProtectionKey | undefined> {
  const [responder, ...more] = responders;
  if (responder === undefined || more.length > 0) return undefined;
  return directory.findResponderTpk?.(responder);
}

/** Mode 3: who shares the TPK with us is the initiator, in no name but its own, for whom it may talk to at all. */
async function makersKey(
  ticket: TicketPayload,
  { initiator, responders }: PolicyContent,
  directory: KmsDirectory,
): Promise<SecretBytes> {
  const id = ticketTpkId(ticket);
  const maker = id === undefined ? undefined : await directory.findTicketMaker?.(id);
  if (maker === undefined) return refuseTicket('unknown ticket protection key', 'IDRpsk');
  if (initiator === undefined || !maker.user.owns(initiator)) {
    return refuseTicket('made in the name of somebody else', 'IDRi');
  }
  if (!(await directory.mayRequest(maker.user, responders))) {
    return refuseTicket('made for responders whom its maker may not invite', 'IDRr');
  }
  return maker.tpk;
}

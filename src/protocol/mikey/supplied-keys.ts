import { ProtocolError } from '../../base/errors.ts';
import { macAlgorithm, mikeyError } from './code-points.ts';
import type { DecodedMessage } from './message.ts';
import { optionalPayload, requiredPayload } from './payload-access.ts';
import { openKemac, type ProtectionKeys } from './protection.ts';
import { readSuppliedKeys, ticketKey } from './ticket-keys.ts';
import type { TicketKey } from './key-types.ts';

/**
 * The keys in the KEMAC of a Ticket Transfer or CSB update (RFC 6043 5.2): enciphered under the keys of its message, never forked.
 * @param from `allowed`: flag L or M of who sent it.
 * @throws ProtocolError with "ticket policy parameter" for keys that the flags forbid, before they are deciphered.
 */
export function openSuppliedKeys(
  message: DecodedMessage,
  from: {
    readonly protection: ProtectionKeys;
    readonly csbId: number;
    readonly allowed: boolean;
    readonly intervals: boolean;
  },
): readonly TicketKey[] {
  refuseForbiddenKeys(message, from.allowed);
  const kemac = optionalPayload(message.payloads, 'KEMAC');
  if (kemac === undefined) return [];
  if (kemac.macAlgorithm !== macAlgorithm.null) {
    throw new ProtocolError('peer-misbehaved', 'a MAC in the KEMAC', {
      field: 'mikey.KEMAC.macAlgorithm',
      expected: 'NULL, V covers it',
      hint: { mikey: mikeyError.invalidMac },
    });
  }
  const timestamp = requiredPayload(message.payloads, 'T');
  const plaintext = openKemac(kemac, from.protection, from.csbId, timestamp);
  return readSuppliedKeys(plaintext, from.protection.suite, from.intervals).map(ticketKey);
}

/** Seen without any key, so that such a message is refused before the KMS is asked. */
export function refuseForbiddenKeys({ payloads }: DecodedMessage, allowed: boolean): void {
  if (allowed || !payloads.some(({ payload }) => payload === 'KEMAC')) return;
  throw new ProtocolError('peer-misbehaved', 'keys that the ticket does not allow', {
    field: 'mikey.KEMAC',
    expected: 'flag L for the initiator, M for the responder',
    hint: { mikey: mikeyError.invalidTicketPolicy },
  });
}

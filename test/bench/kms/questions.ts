import { utf8 } from '../../../src/base/bytes.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { secureRandom } from '../../../src/crypto/random.ts';
import {
  bytesIdentity,
  createTicketRequest,
  createTransfer,
  messageTicketFlags,
  receiveTransfer,
  uriIdentity,
  type GrantedTicket,
  type TicketRequest,
} from '../../../src/protocol/mikey/index.ts';
import { profile } from '../../../src/protocol/profile.ts';

export const kmsUri = 'sip:kms.lab.test';
const kms = uriIdentity(kmsUri);
const alice = uriIdentity('sip:alice@lab.test');
const psk = new SecretBytes(secureRandom.bytes(32));
const pskIds = { alice: bytesIdentity(utf8('alice')), responder: bytesIdentity(utf8('responder-0')) };
const protType = profile.mikey.protTypePskMime;

const responderUri = (index: number): string => `sip:responder-${index}@lab.test`;

/** Users of a KMS that can answer `requestFor` and `resolveFor`: one sender, `responders` recipients, all with one key. */
export function benchUsers(responders: number): { identities: string[]; pskId: string; psk: SecretBytes }[] {
  return [
    { identities: ['sip:alice@lab.test'], pskId: 'alice', psk },
    ...Array.from({ length: responders }, (_, index) => ({
      identities: [responderUri(index)],
      pskId: `responder-${index}`,
      psk,
    })),
  ];
}

/** A question for a ticket that `responders` people may resolve. */
export function requestFor(responders: number, now: number): TicketRequest {
  return createTicketRequest({
    suite: '256',
    psk,
    pskId: pskIds.alice,
    initiator: alice,
    kms,
    responders: Array.from({ length: responders }, (_, index) => uriIdentity(responderUri(index))),
    flags: messageTicketFlags,
    keyKind: 'GTGK',
    validFrom: now - 300_000,
    validUntil: now + 3600_000,
    now,
    random: secureRandom,
  });
}

/** The first responder's question, for a message that was sent with this ticket. */
export function resolveFor(ticket: GrantedTicket, now: number): Uint8Array {
  const self = uriIdentity(responderUri(0));
  const { message } = createTransfer({
    ticket,
    initiator: alice,
    responder: self,
    protType,
    csId: 1,
    now,
    random: secureRandom,
  });
  const received = receiveTransfer(message, { now, self: [self], protTypes: [protType], checkFreshness: 'ticket' });
  return received.createResolve({ psk, pskId: pskIds.responder, self, kms, now, random: secureRandom }).message;
}

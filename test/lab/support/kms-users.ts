import { expect } from 'vitest';
import { fromHex, utf8 } from '../../../src/base/bytes.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { secureRandom } from '../../../src/crypto/random.ts';
import type { Lab } from '../../../src/lab/lab.ts';
import { createHttpsKeyManagement } from '../../../src/node/key-management.ts';
import {
  bytesIdentity,
  createTicketRequest,
  createTransfer,
  type GrantedTicket,
  messageTicketFlags,
  receiveTransfer,
  uriIdentity,
} from '../../../src/protocol/mikey/index.ts';
import { profile } from '../../../src/protocol/profile.ts';

type LabUsers = Pick<Lab, 'ueConfig' | 'kms' | 'caPem'>;

/** What one lab user needs to talk to the KMS. */
function credentials(lab: LabUsers, name: string) {
  const { identity, kms } = lab.ueConfig(name);
  return {
    psk: new SecretBytes(fromHex(kms!.psk!)),
    pskId: bytesIdentity(utf8(kms!.pskId!)),
    self: uriIdentity(identity),
    kms: uriIdentity(kms!.identity),
    random: secureRandom,
  };
}

async function ask(lab: LabUsers, kind: 'ticketrequest' | 'ticketresolve', message: Uint8Array): Promise<Uint8Array> {
  const address = { url: lab.kms.url, trustedCa: lab.caPem, bodyEncoding: profile.kms.bodyEncoding };
  const reply = await createHttpsKeyManagement().exchange(kind, address, message);
  expect(reply.status).toBe(200);
  return reply.message!;
}

/** A ticket for messages, of the lab's KMS. */
export async function requestTicket(lab: LabUsers, from: string, to: string): Promise<GrantedTicket> {
  const now = Date.now();
  const { self, ...rest } = credentials(lab, from);
  const request = createTicketRequest({
    ...rest,
    suite: '256',
    initiator: self,
    responders: [credentials(lab, to).self],
    flags: messageTicketFlags,
    keyKind: 'GTGK',
    validFrom: now - 300_000,
    validUntil: now + 3_600_000,
    now,
  });
  return request.accept(await ask(lab, 'ticketrequest', request.message), now);
}

/** True when the KMS lets the responder resolve it and proves who asked for it. */
export async function resolveTicket(lab: LabUsers, ticket: GrantedTicket, responder: string): Promise<boolean> {
  const now = Date.now();
  const transfer = createTransfer({
    ticket,
    initiator: credentials(lab, 'alice').self,
    responder: credentials(lab, responder).self,
    protType: profile.mikey.protTypePskMime,
    csId: 1,
    now,
    random: secureRandom,
  });
  const received = receiveTransfer(transfer.message, {
    now,
    self: [credentials(lab, responder).self],
    protTypes: [profile.mikey.protTypePskMime],
    checkFreshness: 'ticket',
  });
  const question = received.createResolve({ ...credentials(lab, responder), now });
  return question.accept(await ask(lab, 'ticketresolve', question.message), now).originProven;
}

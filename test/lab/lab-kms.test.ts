import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fromHex, utf8 } from '../../src/base/bytes.ts';
import { ProtocolError } from '../../src/base/errors.ts';
import { SecretBytes } from '../../src/base/secret-bytes.ts';
import { secureRandom } from '../../src/crypto/random.ts';
import { type Lab, startLab } from '../../src/lab/lab.ts';
import { createHttpsKeyManagement } from '../../src/node/key-management.ts';
import {
  bytesIdentity,
  createTicketRequest,
  createTransfer,
  type GrantedTicket,
  messageTicketFlags,
  receiveTransfer,
  uriIdentity,
} from '../../src/protocol/mikey/index.ts';
import { profile } from '../../src/protocol/profile.ts';

let lab: Lab;

beforeAll(async () => {
  lab = await startLab();
});

afterAll(() => lab.stop());

/** What one lab user needs to talk to the KMS. */
function credentials(name: string) {
  const { identity, kms } = lab.ueConfig(name);
  return {
    psk: new SecretBytes(fromHex(kms!.psk!)),
    pskId: bytesIdentity(utf8(kms!.pskId!)),
    self: uriIdentity(identity),
    kms: uriIdentity(kms!.identity),
    random: secureRandom,
  };
}

async function ask(kind: 'ticketrequest' | 'ticketresolve', message: Uint8Array): Promise<Uint8Array> {
  const address = { url: lab.kms.url, trustedCa: lab.caPem, bodyEncoding: profile.kms.bodyEncoding };
  const reply = await createHttpsKeyManagement().exchange(kind, address, message);
  expect(reply.status).toBe(200);
  return reply.message!;
}

async function requestTicket(from: string, to: string): Promise<GrantedTicket> {
  const now = Date.now();
  const { self, ...rest } = credentials(from);
  const request = createTicketRequest({
    ...rest,
    suite: '256',
    initiator: self,
    responders: [credentials(to).self],
    flags: messageTicketFlags,
    keyKind: 'GTGK',
    validFrom: now - 300_000,
    validUntil: now + 3_600_000,
    now,
  });
  return request.accept(await ask('ticketrequest', request.message), now);
}

async function resolve(ticket: GrantedTicket, responder: string): Promise<boolean> {
  const now = Date.now();
  const transfer = createTransfer({
    ticket,
    initiator: credentials('alice').self,
    responder: credentials(responder).self,
    protType: profile.mikey.protTypePskMime,
    csId: 1,
    now,
    random: secureRandom,
  });
  const received = receiveTransfer(transfer.message, {
    now,
    self: [credentials(responder).self],
    protTypes: [profile.mikey.protTypePskMime],
    checkFreshness: 'ticket',
  });
  const question = received.createResolve({ ...credentials(responder), now });
  return question.accept(await ask('ticketresolve', question.message), now).originProven;
}

describe('the KMS of the lab', () => {
  test('gives its users tickets, lets the named responder resolve them, and is recorded on its access leg', async () => {
    lab.recorder.clear();
    expect(await resolve(await requestTicket('alice', 'bob'), 'bob')).toBe(true);
    const { accessLeg } = lab.recorder.find('POST /keymanagement');
    expect(accessLeg.count).toBe(0);
    expect(accessLeg.octets).toBeGreaterThan(4000);
  });

  test('fault: its answers come under another key and are not accepted', async () => {
    const ticket = await requestTicket('alice', 'bob');
    lab.faults.kmsWrongKey = true;
    const failures = await Promise.allSettled([requestTicket('alice', 'bob'), resolve(ticket, 'bob')]);
    delete lab.faults.kmsWrongKey;
    for (const failure of failures) {
      const reason: unknown = failure.status === 'rejected' ? failure.reason : undefined;
      expect(reason).toBeInstanceOf(ProtocolError);
      expect((reason as ProtocolError).message).toMatch(/V: authentication failed/);
    }
    expect(await resolve(ticket, 'bob')).toBe(true);
  });

  test('somebody who does not trust the lab CA gets no connection', async () => {
    const address = { url: lab.kms.url, bodyEncoding: profile.kms.bodyEncoding };
    await expect(createHttpsKeyManagement().exchange('ticketrequest', address, new Uint8Array(4))).rejects.toThrow();
  });
});

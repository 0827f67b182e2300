import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ProtocolError } from '../../src/base/errors.ts';
import { type Lab, startLab } from '../../src/lab/lab.ts';
import { createHttpsKeyManagement } from '../../src/node/key-management.ts';
import { profile } from '../../src/protocol/profile.ts';
import { requestTicket, resolveTicket } from './support/kms-users.ts';

let lab: Lab;

beforeAll(async () => {
  lab = await startLab();
});

afterAll(() => lab.stop());

describe('the KMS of the lab', () => {
  test('gives its users tickets, lets the named responder resolve them, and is recorded on its access leg', async () => {
    lab.recorder.clear();
    expect(await resolveTicket(lab, await requestTicket(lab, 'alice', 'bob'), 'bob')).toBe(true);
    const { accessLeg } = lab.recorder.find('POST /keymanagement');
    expect(accessLeg.count).toBe(0);
    expect(accessLeg.octets).toBeGreaterThan(4000);
  });

  test('fault: its answers come under another key and are not accepted', async () => {
    const ticket = await requestTicket(lab, 'alice', 'bob');
    lab.faults.kmsWrongKey = true;
    const failures = await Promise.allSettled([requestTicket(lab, 'alice', 'bob'), resolveTicket(lab, ticket, 'bob')]);
    delete lab.faults.kmsWrongKey;
    for (const failure of failures) {
      const reason: unknown = failure.status === 'rejected' ? failure.reason : undefined;
      expect(reason).toBeInstanceOf(ProtocolError);
      expect((reason as ProtocolError).message).toMatch(/V: authentication failed/);
    }
    expect(await resolveTicket(lab, ticket, 'bob')).toBe(true);
  });

  test('somebody who does not trust the lab CA gets no connection', async () => {
    const address = { url: lab.kms.url, bodyEncoding: profile.kms.bodyEncoding };
    await expect(createHttpsKeyManagement().exchange('ticketrequest', address, new Uint8Array(4))).rejects.toThrow();
  });
});

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Policy } from '../../src/base/protection-level.ts';
import type { MessageWay } from '../../src/engine/chat-message.ts';
import { startLab, type Lab } from '../../src/lab/lab.ts';
import { startParty, until, type Party } from './support/parties.ts';

let lab: Lab;
let alice: Party;
let bob: Party;

beforeAll(async () => {
  lab = await startLab();
  [alice, bob] = await Promise.all([startParty(lab, 'alice'), startParty(lab, 'bob')]);
});

afterAll(async () => {
  await Promise.all([alice.stop(), bob.stop()]);
  await lab.stop();
});

beforeEach(() => {
  for (const party of [alice, bob]) {
    party.received.length = 0;
    party.refused.length = 0;
  }
  for (const fault of Object.keys(lab.faults)) Reflect.deleteProperty(lab.faults, fault);
});

let counter = 0;
const marker = (): string => `eagle-${counter++}-lands-at-noon`;

describe.each<[MessageWay, Policy, string, string]>([
  ['message', 'require-e2ae', 'e2ae', 'message-signalling'],
  ['message', 'require-e2e', 'e2e', 'message-psk-mime'],
  ['msrp', 'require-e2ae', 'e2ae', 'msrp-fingerprint-tls'],
  ['msrp', 'require-e2e', 'e2e', 'msrp-psk-tls'],
])('%s under %s', (way, policy, level, kind) => {
  test.each(['alice to bob', 'bob to alice'])('%s', async (direction) => {
    const [from, to] = direction === 'alice to bob' ? [alice, bob] : [bob, alice];
    const text = marker();
    const outcome = await from.account.sendMessage({ to: to.uri, text, way, policy });
    expect(outcome).toMatchObject({ outcome: 'sent', message: { level, evidence: { kind } } });
    await until(() => to.received.length > 0, 'the message arrives');
    expect(to.received).toMatchObject([
      {
        text,
        way,
        level,
        from: from.uri,
        state: 'received',
        evidence: { kind, vouchedBy: level === 'e2e' ? 'kms' : 'network' },
      },
    ]);
    const wire = lab.recorder.find(text);
    expect(wire.accessLeg.count).toBe(0);
    expect(wire.insideEdge.count > 0).toBe(level === 'e2ae');
  });
});

test.each<MessageWay>(['message', 'msrp'])('%s end to end with the 128-bit algorithm set', async (way) => {
  const kms = { ...lab.ueConfig('carol').kms!, suite: '128' } as const;
  const carol = await startParty(lab, 'carol', { kms });
  const text = marker();
  const outcome = await carol.account.sendMessage({ to: bob.uri, text, way, policy: 'require-e2e' });
  expect(outcome).toMatchObject({ outcome: 'sent', message: { level: 'e2e' } });
  await until(() => bob.received.length > 0, 'the message arrives');
  expect(bob.received).toMatchObject([{ text, level: 'e2e', from: carol.uri }]);
  await carol.stop();
});

test('many messages at once all arrive, once each', async () => {
  const texts = Array.from({ length: 40 }, () => marker());
  const outcomes = await Promise.all(
    texts.map((text, index) =>
      alice.account.sendMessage({
        to: bob.uri,
        text,
        way: index % 2 === 0 ? 'message' : 'msrp',
        policy: index % 4 < 2 ? 'require-e2e' : 'require-e2ae',
      }),
    ),
  );
  expect(outcomes.filter(({ outcome }) => outcome !== 'sent')).toEqual([]);
  await until(() => bob.received.length >= texts.length, 'all arrive');
  expect(bob.received.map(({ text }) => text).sort()).toEqual([...texts].sort());
});

describe('the network misbehaves', () => {
  beforeEach(async () => {
    for (const party of [alice, bob]) {
      for (const { id } of party.account.status().sessions) await party.account.closeSession(id);
    }
  });

  test('no indication: refused under require-e2ae, unverified under any', async () => {
    lab.faults.omitIndication = true;
    const required = await alice.account.openSession({ to: bob.uri, policy: 'require-e2ae' });
    expect(required).toMatchObject({ outcome: 'refused', refusal: { code: 'no-network-indication' } });
    const any = await alice.account.openSession({ to: bob.uri, policy: 'any' });
    expect(any).toMatchObject({ outcome: 'opened', session: { level: 'unverified' } });
  });

  test('wrong fingerprint', async () => {
    lab.faults.wrongFingerprint = true;
    const outcome = await alice.account.sendMessage({ to: bob.uri, text: marker(), way: 'msrp', policy: 'any' });
    expect(outcome).toMatchObject({ outcome: 'refused', refusal: { code: 'fingerprint-mismatch' } });
  });

  test('a message that comes twice is shown once', async () => {
    lab.faults.replayMessages = true;
    const text = marker();
    await alice.account.sendMessage({ to: bob.uri, text, way: 'message', policy: 'require-e2e' });
    await until(() => bob.refused.length > 0, 'the copy is dropped');
    expect(bob.refused).toMatchObject([{ refusal: { code: 'replayed' } }]);
    await until(() => bob.received.length > 0, 'the message arrives');
    expect(bob.received).toMatchObject([{ text, level: 'e2e' }]);
  });

  test('a flipped bit', async () => {
    lab.faults.flipCmsBit = true;
    const outcome = await alice.account.sendMessage({
      to: bob.uri,
      text: marker(),
      way: 'message',
      policy: 'require-e2e',
    });
    expect(outcome).toMatchObject({ outcome: 'refused', refusal: { code: 'decryption-failed' } });
    expect(bob.received).toEqual([]);
  });

  test('a KMS under another key', async () => {
    lab.faults.kmsWrongKey = true;
    const carol = await startParty(lab, 'carol');
    const outcome = await carol.account.sendMessage({ to: bob.uri, text: marker(), way: 'message' });
    expect(outcome).toMatchObject({ outcome: 'refused', refusal: { code: 'kms-answer-invalid' } });
    await carol.stop();
  });
});

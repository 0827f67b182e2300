import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Policy } from '../../src/base/protection-level.ts';
import type { MessageWay } from '../../src/engine/chat-message.ts';
import { settle, World, type User } from './support/world.ts';

let world: World;
let alice: User;
let bob: User;
const text = 'the eagle lands at noon';

beforeEach(async () => {
  world = new World();
  alice = await world.user('alice');
  bob = await world.user('bob');
});

afterEach(async () => {
  await Promise.all([alice.account.stop(), bob.account.stop()]);
});

describe.each<[MessageWay, Policy, string, string]>([
  ['message', 'require-e2ae', 'e2ae', 'message-signalling'],
  ['message', 'require-e2e', 'e2e', 'message-psk-mime'],
  ['msrp', 'require-e2ae', 'e2ae', 'msrp-fingerprint-tls'],
  ['msrp', 'require-e2e', 'e2e', 'msrp-psk-tls'],
])('%s under %s', (way, policy, level, kind) => {
  beforeEach(() => {
    // What the IMS-ALG on each side does, as far as a UE sees it.
    world.sip.changeOffer = (sdp) => sdp.replace('a=3ge2ae:requested', 'a=3ge2ae:applied');
    world.sip.changeAnswer = (sdp) => (sdp.includes('fingerprint') ? `${sdp}a=3ge2ae:applied\r\n` : sdp);
  });

  test('both directions, the same level and evidence of it on both sides', async () => {
    for (const [from, to, name] of [
      [alice, bob, 'bob'],
      [bob, alice, 'alice'],
    ] as const) {
      const outcome = await from.account.sendMessage({ to: `sip:${name}@lab.test`, text, way, policy });
      expect(outcome).toMatchObject({ outcome: 'sent', message: { level, text, way, direction: 'out' } });
      await settle();
      expect(to.received).toHaveLength(1);
      expect(to.received[0]).toMatchObject({
        level,
        text,
        way,
        direction: 'in',
        state: 'received',
        evidence: { kind },
      });
      expect(outcome.outcome === 'sent' && outcome.message.evidence?.kind).toBe(kind);
    }
    expect(world.logLines.filter((line) => line.includes('eagle'))).toEqual([]);
  });

  test('the text is in the signalling only where the signalling is what protects it', async () => {
    await alice.account.sendMessage({ to: 'sip:bob@lab.test', text, way, policy });
    const bodies = world.sip.messages.map(({ message }) => new TextDecoder('latin1').decode(message.body)).join();
    expect(bodies.includes(text)).toBe(kind === 'message-signalling');
  });
});

test('end-to-end evidence tells KMS, ticket life and proof of origin', async () => {
  await alice.account.sendMessage({ to: 'sip:bob@lab.test', text, way: 'message' });
  await settle();
  expect(bob.received[0]?.evidence).toMatchObject({
    kind: 'message-psk-mime',
    origin: 'proven',
    kms: 'sip:kms.lab.test',
    ticket: { validUntil: world.clock.now() + 7 * 24 * 3_600_000 },
  });
});

test('a session is used again for what it satisfies, and another is opened for what it does not', async () => {
  const send = (policy: Policy) => alice.account.sendMessage({ to: 'sip:bob@lab.test', text, way: 'msrp', policy });
  await send('require-e2e');
  await send('require-e2e');
  expect(alice.account.status().sessions).toHaveLength(1);
  await bob.account.sendMessage({ to: 'sip:alice@lab.test', text, way: 'msrp', policy: 'require-e2e' });
  expect(world.sip.invites).toHaveLength(1);
  world.sip.changeAnswer = (sdp) => `${sdp}a=3ge2ae:applied\r\n`;
  world.sip.changeOffer = (sdp) => sdp.replace('requested', 'applied');
  expect(await send('require-e2ae')).toMatchObject({ outcome: 'sent', message: { level: 'e2ae' } });
  expect(world.sip.invites).toHaveLength(2);
});

test('messages sent at the same time share one session and one ticket', async () => {
  const send = () => alice.account.sendMessage({ to: 'sip:bob@lab.test', text, way: 'msrp', policy: 'require-e2e' });
  const outcomes = await Promise.all([send(), send(), send()]);
  expect(outcomes.map(({ outcome }) => outcome)).toEqual(['sent', 'sent', 'sent']);
  expect(world.sip.invites).toHaveLength(1);
  expect(world.kms.requests).toBe(1);
  await settle();
  expect(bob.received).toHaveLength(3);
});

test('both sides open a session at the same time, and both messages arrive', async () => {
  const [one, two] = await Promise.all([
    alice.account.sendMessage({ to: 'sip:bob@lab.test', text, way: 'msrp', policy: 'require-e2e' }),
    bob.account.sendMessage({ to: 'sip:alice@lab.test', text, way: 'msrp', policy: 'require-e2e' }),
  ]);
  expect([one.outcome, two.outcome]).toEqual(['sent', 'sent']);
  await settle();
  expect([alice.received.length, bob.received.length]).toEqual([1, 1]);
});

test('a ticket serves several messages, each under its own key', async () => {
  for (let count = 0; count < 3; count++) {
    await alice.account.sendMessage({ to: 'sip:bob@lab.test', text, way: 'message', policy: 'require-e2e' });
  }
  await settle();
  expect(world.kms.requests).toBe(1);
  const keys = bob.received.map(({ evidence }) => evidence?.kind === 'message-psk-mime' && evidence.keyId);
  expect(new Set(keys).size).toBe(3);
});

test('closing a session ends it on both sides, and idle ones end by themselves', async () => {
  const opened = await alice.account.openSession({ to: 'sip:bob@lab.test', policy: 'require-e2e' });
  if (opened.outcome !== 'opened') throw new Error(opened.refusal.explanation);
  expect(bob.account.status().sessions).toHaveLength(1);
  expect(await alice.account.closeSession(opened.session.id)).toBe(true);
  await settle();
  expect(bob.account.status().sessions).toHaveLength(0);
  expect(await alice.account.closeSession(opened.session.id)).toBe(false);

  await alice.account.openSession({ to: 'sip:bob@lab.test', policy: 'require-e2e' });
  await world.pass(11 * 60_000);
  expect(alice.account.status().sessions).toHaveLength(0);
  expect(bob.account.status().sessions).toHaveLength(0);
});

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Policy } from '../../src/base/protection-level.ts';
import type { MessageWay, SendOutcome } from '../../src/engine/chat-message.ts';
import type { MemoryKms } from './support/memory-kms.ts';
import { flows } from './support/memory-sip.ts';
import { settle, World, type User, type UserOptions } from './support/world.ts';

const bobUri = 'sip:bob@lab.test';
const text = 'the eagle lands at noon';
const ways: readonly MessageWay[] = ['message', 'msrp'];

let world: World;
let alice: User;
let bob: User;

async function start(options: UserOptions = {}, bobOptions: UserOptions = {}): Promise<void> {
  alice = await world.user('alice', options);
  bob = await world.user('bob', bobOptions);
}

function send(way: MessageWay, policy?: Policy, consent?: boolean): Promise<SendOutcome> {
  return alice.account.sendMessage({
    to: bobUri,
    text,
    way,
    ...(policy === undefined ? {} : { policy }),
    ...(consent === undefined ? {} : { consent }),
  });
}

function refused(code: string, more: object = {}): object {
  return { outcome: 'refused', refusal: { code, ...more } };
}

/** Kept, and tried again by itself: `sent` where it may have left already. */
function waiting(code: string, state: 'queued' | 'sent' = 'queued'): object {
  return { outcome: 'waiting', message: { state, problem: { code } } };
}

/** What an IMS-ALG that protects the session writes. */
function networkApplies(): void {
  world.sip.changeOffer = (sdp) => sdp.replace('a=3ge2ae:requested', 'a=3ge2ae:applied');
  world.sip.changeAnswer = (sdp) => (sdp.includes('fingerprint') ? `${sdp}a=3ge2ae:applied\r\n` : sdp);
}

beforeEach(() => {
  world = new World();
});

afterEach(async () => {
  await Promise.all([alice.account.stop(), bob.account.stop()]);
  expect(world.clock.waiting).toBe(0);
});

describe('the other side cannot ask its KMS', () => {
  test('msrp: the message waits for another time, and goes then', async () => {
    await start();
    // Down from when the offer is on its way: the ticket was granted before.
    world.sip.changeOffer = (sdp) => {
      world.kms.fault = 'down';
      return sdp;
    };
    expect(await send('msrp', 'require-e2e')).toMatchObject(waiting('peer-unreachable'));
    world.sip.changeOffer = (sdp) => sdp;
    await world.kmsReturns();
    for (let rounds = 0; bob.received.length === 0 && rounds < 100; rounds++) await world.pass(10_000);
    expect(bob.received).toMatchObject([{ way: 'msrp', level: 'e2e', text }]);
  });
});

describe('before anything is sent', () => {
  test.each(ways)('%s: not registered: it waits, and says so', async (way) => {
    await start();
    await alice.account.unregister();
    expect(await send(way)).toMatchObject(waiting('not-registered'));
    expect([world.sip.messages, world.sip.invites]).toEqual([[], []]);
  });

  test.each(['bob', 'mailto:bob@lab.test', 'sip:', 'sip:bob@lab.test\r\nX: y'])('no address: %j', async (to) => {
    await start();
    expect(await alice.account.sendMessage({ to, text, way: 'message' })).toMatchObject(refused('invalid-address'));
    expect(await alice.account.openSession({ to })).toMatchObject(refused('invalid-address'));
  });

  test('a message that is too large for SIP MESSAGE is not sent as one', async () => {
    await start();
    const long = { to: bobUri, text: 'x'.repeat(9_000), way: 'message' } as const;
    for (const policy of ['require-e2e', 'any'] as const) {
      expect(await alice.account.sendMessage({ ...long, policy })).toMatchObject({
        outcome: 'sent',
        message: { way: 'msrp' },
      });
    }
    expect(world.sip.messages).toEqual([]);
  });

  test.each(ways)('%s: no KMS', async (way) => {
    await start({ noKms: true });
    expect(await send(way, 'require-e2e')).toMatchObject(refused('no-kms'));
  });

  test('no PSK in this build: sessions are refused, messages are not', async () => {
    await start({ noPskTls: true });
    expect(await send('msrp', 'require-e2e')).toMatchObject(refused('psk-tls-unavailable'));
    expect(await send('message', 'require-e2e')).toMatchObject({ outcome: 'sent', message: { level: 'e2e' } });
  });
});

describe('the KMS fails', () => {
  const unanswered = {
    outcome: 'waiting',
    message: {
      state: 'queued',
      level: 'none',
      problem: { code: 'kms-unreachable', nextAttempt: expect.any(Number) as number },
    },
  };

  const faults: readonly [NonNullable<MemoryKms['fault']>, string][] = [
    ['down', 'kms-unreachable'],
    ['server-error', 'kms-unreachable'],
    ['unauthorised', 'kms-refused'],
    ['wrong-key', 'kms-answer-invalid'],
    ['garbage', 'kms-answer-invalid'],
  ];

  test.each(faults.flatMap(([fault, code]) => ways.map((way) => [way, fault, code] as const)))(
    '%s, KMS %s: %s, and nothing is sent',
    async (way, fault, code) => {
      await start();
      world.kms.fault = fault;
      expect(await send(way, 'require-e2e')).toMatchObject(code === 'kms-unreachable' ? unanswered : refused(code));
      expect([world.sip.messages.length, world.sip.invites.length]).toEqual([0, 0]);
    },
  );

  test.each(ways)('%s: a silent KMS is waited for no longer than its deadline', async (way) => {
    await start();
    world.kms.fault = 'silent';
    const sending = send(way, 'require-e2e');
    await settle();
    world.clock.advance(15_000);
    expect(await sending).toMatchObject(unanswered);
  });

  test.each(ways)('%s: a user who may not', async (way) => {
    await start();
    world.kms.forbidden.add('sip:alice@lab.test');
    expect(await send(way, 'require-e2e')).toMatchObject(refused('kms-refused'));
  });

  test.each(ways)('%s: a refusal is asked for again: nothing is cached but tickets', async (way) => {
    await start();
    world.kms.fault = 'unauthorised';
    expect(await send(way, 'require-e2e')).toMatchObject(refused('kms-refused'));
    world.kms.fault = 'none';
    expect(await send(way, 'require-e2e')).toMatchObject({ outcome: 'sent' });
  });
});

describe('prefer-e2e', () => {
  beforeEach(networkApplies);

  test.each(ways)('%s: asks the first time, remembers, and goes no lower than was agreed', async (way) => {
    await start();
    world.kms.fault = 'down';
    const offer = { offered: 'e2ae', required: 'prefer-e2e' };
    const question =
      way === 'message'
        ? { outcome: 'waiting', message: { problem: { code: 'kms-unreachable', ...offer } } }
        : refused('consent-required', offer);
    expect(await send(way)).toMatchObject(question);
    expect(await send(way)).toMatchObject(question);
    // What waits keeps its place: nothing of this contact overtakes it.
    for (const { message } of alice.account.outbox.list()) expect(alice.account.cancelMessage(message.id)).toBe(true);
    expect(await send(way, undefined, true)).toMatchObject({ outcome: 'sent', message: { level: 'e2ae' } });
    expect(await send(way)).toMatchObject({ outcome: 'sent', message: { level: 'e2ae' } });
    expect(await alice.account.sendMessage({ to: 'sip:carol@lab.test', text, way })).toMatchObject(question);
    alice.userAgent.flow = flows.clear;
    for (const { id } of alice.account.status().sessions) await alice.account.closeSession(id);
    expect(await send(way)).toMatchObject(
      way === 'message'
        ? { outcome: 'waiting', message: { problem: { offered: 'none' } } }
        : refused('consent-required', { offered: 'none' }),
    );
  });

  test.each(ways)('%s: goes back to e2e by itself when that can be had', async (way) => {
    await start();
    world.kms.fault = 'down';
    await send(way);
    for (const { message } of alice.account.outbox.list()) alice.account.cancelMessage(message.id);
    await send(way, undefined, true);
    await world.kmsReturns();
    for (const { id } of alice.account.status().sessions) await alice.account.closeSession(id);
    expect(await send(way)).toMatchObject({ outcome: 'sent', message: { level: 'e2e' } });
  });

  test.each(ways)('%s: offers nothing less after an answer that somebody forged', async (way) => {
    await start();
    world.kms.fault = 'wrong-key';
    expect(await send(way)).toMatchObject(refused('kms-answer-invalid'));
    expect(await send(way, undefined, true)).toMatchObject(refused('kms-answer-invalid'));
  });

  test.each(ways)('%s: a peer without KMS is offered the edge', async (way) => {
    await start({}, { noKms: true });
    expect(await send(way)).toMatchObject(refused('consent-required', { offered: 'e2ae' }));
    expect(await send(way, undefined, true)).toMatchObject({ outcome: 'sent', message: { level: 'e2ae' } });
  });

  test('consent to the edge is none to a session without indication', async () => {
    await start();
    world.kms.fault = 'down';
    world.sip.changeAnswer = (sdp) => sdp;
    await send('msrp');
    expect(await send('msrp', undefined, true)).toMatchObject(refused('consent-required', { offered: 'unverified' }));
    expect(bob.received).toEqual([]);
    expect(await send('msrp', undefined, true)).toMatchObject({ outcome: 'sent', message: { level: 'unverified' } });
    expect(world.sip.invites).toHaveLength(1);
  });
});

describe('e2ae messages', () => {
  test.each([
    ['require-e2ae', 'withoutAgreement', refused('policy-not-met', { reached: 'unverified' })],
    ['require-e2ae', 'clear', refused('policy-not-met', { reached: 'none' })],
    [
      'any',
      'withoutAgreement',
      { outcome: 'sent', message: { level: 'unverified', evidence: { vouchedBy: 'nobody' } } },
    ],
    ['any', 'clear', { outcome: 'sent', message: { level: 'none', evidence: { transport: 'tcp' } } }],
  ] as const)('%s on a flow %s', async (policy, flow, expected) => {
    await start({ flow: flows[flow] });
    expect(await send('message', policy)).toMatchObject(expected);
  });

  test('the receiver judges its own flow, not what the sender says', async () => {
    await start({}, { flow: flows.withoutAgreement, policy: 'any' });
    await send('message', 'require-e2ae');
    expect(bob.received[0]).toMatchObject({ level: 'unverified', text });
    bob.account.setContactPolicy('sip:alice@lab.test', 'require-e2ae');
    expect(await send('message', 'require-e2ae')).toMatchObject(refused('peer-incompatible'));
    expect(bob.received).toHaveLength(1);
    expect(bob.refused[0]).toMatchObject({ refusal: { code: 'policy-not-met', reached: 'unverified' } });
  });
});

describe('the network is in the way', () => {
  test.each(ways)('%s: lost connection: it is tried again', async (way) => {
    await start();
    world.sip.fault = 'lost';
    const state = way === 'message' ? 'sent' : 'queued';
    expect(await send(way, 'require-e2ae')).toMatchObject(waiting('connection-lost', state));
    expect(await send(way, 'require-e2e')).toMatchObject(waiting('connection-lost'));
  });

  test.each(ways)('%s: no answer at all', async (way) => {
    await start();
    world.sip.fault = 'silent';
    const sending = send(way, 'require-e2e');
    await settle();
    world.clock.advance(45_000);
    expect(await sending).toMatchObject(waiting('timeout', way === 'message' ? 'sent' : 'queued'));
  });

  test.each(ways)('%s: nobody there', async (way) => {
    await start();
    const to = 'sip:nobody@lab.test';
    expect(await alice.account.sendMessage({ to, text, way, policy: 'require-e2e' })).toMatchObject({
      ...refused('peer-unreachable'),
      message: { state: way === 'message' ? 'failed' : 'refused' },
    });
    expect(alice.account.outbox.list()).toEqual([]);
  });
});

test('no refusal and no log line holds the text', async () => {
  await start();
  world.kms.fault = 'wrong-key';
  const outcome = await send('message', 'require-e2e');
  expect(JSON.stringify([outcome.outcome === 'refused' && outcome.refusal, world.logLines])).not.toContain('eagle');
});

test('every refusal says what happened, what it means and what to do', async () => {
  await start();
  world.kms.fault = 'down';
  const outcome = await send('msrp', 'require-e2e');
  expect(outcome.outcome === 'waiting' && outcome.message.problem?.explanation).toMatch(
    /^The key management server could not be reached .*\. The message waits here and is sent by itself .*\. Nothing needs to be done; you can also take it back\.$/,
  );
  const opened = await alice.account.openSession({ to: bobUri, policy: 'require-e2e' });
  expect(opened.outcome === 'refused' && opened.refusal.explanation).toContain('No session was opened');
});

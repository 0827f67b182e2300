import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Policy } from '../../../src/base/protection-level.ts';
import type { ChatMessage, MessageWay, SendOutcome } from '../../../src/engine/chat-message.ts';
import { createMemoryStore, StoreError, type Store } from '../../../src/engine/store/index.ts';
import { flows, reply } from '../support/memory-sip.ts';
import { settle, World, type User, type UserOptions } from '../support/world.ts';

const aliceUri = 'sip:alice@lab.test';
const bobUri = 'sip:bob@lab.test';
const ways: readonly MessageWay[] = ['message', 'msrp'];

let world: World;
let store: Store;
let alice: User;
let bob: User;

beforeEach(async () => {
  world = new World();
  store = createMemoryStore({ reason: 'test' });
  alice = await world.user('alice', { store });
  bob = await world.user('bob');
});

afterEach(async () => {
  await Promise.all([alice.account.stop(), bob.account.stop()]);
  await settle();
  expect(world.clock.waiting).toBe(0);
});

function send(text: string, policy: Policy = 'require-e2e', way: MessageWay = 'message'): Promise<SendOutcome> {
  return alice.account.sendMessage({ to: bobUri, text, way, policy });
}

/** The program ends and is started again on what it had stored. */
async function restart(options: UserOptions = {}): Promise<void> {
  await alice.account.stop();
  alice = await world.user('alice', { store, ...options });
}

function own(): readonly ChatMessage[] {
  return alice.account.history.page(bobUri).messages;
}

const shown = (): string[] => bob.received.map(({ text }) => text);

describe('without a registration', () => {
  test.each(ways)('%s: a message is kept over restarts, and goes out after the registration', async (way) => {
    await alice.account.unregister();
    expect(await send('written on the train', 'require-e2e', way)).toMatchObject({ outcome: 'waiting' });
    await restart({ isOffline: true });
    expect(own()).toMatchObject([
      { state: 'queued', problem: { code: 'not-registered' }, text: 'written on the train' },
    ]);
    await alice.account.register();
    await settle();
    expect(bob.received).toMatchObject([{ text: 'written on the train', level: 'e2e', way }]);
    expect(alice.account.outbox.list()).toEqual([]);
  });

  test('nothing is lost or overtaken by what is written later', async () => {
    await alice.account.unregister();
    const outcomes = [send('one'), send('two', 'any'), send('three', 'require-e2e', 'msrp')];
    expect((await Promise.all(outcomes)).map(({ outcome }) => outcome)).toEqual(['waiting', 'waiting', 'waiting']);
    const registering = alice.account.register();
    const later = send('four');
    await registering;
    expect(await later).toMatchObject({ outcome: 'sent' });
    // It is answered as soon as it is kept, and opened then.
    await settle();
    expect(shown()).toEqual(['one', 'two', 'three', 'four']);
  });

  test('what waits is taken back, and is gone', async () => {
    await alice.account.unregister();
    const outcome = await send('never mind');
    const { id } = (outcome as { message: ChatMessage }).message;
    expect(alice.account.outbox.cancel(id)).toBe(true);
    expect(alice.account.outbox.cancel(id)).toBe(false);
    await alice.account.register();
    await settle();
    expect([own(), shown()]).toEqual([[], []]);
  });
});

describe('an attempt that fails in passing', () => {
  test('is followed by another, with the same Message-ID, not before the time that the network asked for', async () => {
    world.sip.answers = () => reply(503, 'Service Unavailable', undefined, { 'Retry-After': '600' });
    expect(await send('hello', 'require-e2ae')).toMatchObject({ outcome: 'waiting', message: { state: 'sent' } });
    world.sip.answers = () => undefined;
    await world.pass(590_000);
    expect(world.sip.messages).toHaveLength(1);
    await world.pass(20_000);
    expect(shown()).toEqual(['hello']);
    const ids = world.sip.messages.map(({ message }) => /imdn\.Message-ID: (\w+)/.exec(textOf(message.body))?.[1]);
    expect(new Set(ids).size).toBe(1);
    expect(ids[0]).toBe(own()[0]?.id);
  });

  test('keeps to that time over a restart', async () => {
    world.sip.answers = () => reply(503, 'Service Unavailable', undefined, { 'Retry-After': '600' });
    await send('hello', 'require-e2ae');
    world.sip.answers = () => undefined;
    await restart();
    await world.pass(590_000);
    expect(world.sip.messages).toHaveLength(1);
    await world.pass(20_000);
    expect(shown()).toEqual(['hello']);
  });

  test('is followed by another at once on a new network, or when the user asks', async () => {
    world.sip.answers = () => reply(480, 'Temporarily Unavailable');
    await send('hello', 'require-e2ae');
    await settle();
    const before = world.sip.messages.length;
    await alice.account.register();
    await settle();
    expect(world.sip.messages).toHaveLength(before + 1);
    world.sip.answers = () => undefined;
    const [message] = own();
    expect(await alice.account.outbox.retry(message?.id ?? '')).toMatchObject({ id: message?.id });
    await settle();
    expect(own()).toMatchObject([{ state: 'accepted' }]);
  });

  test('is shown once when the first had arrived after all', async () => {
    const receive = bob.userAgent.receiveMessage.bind(bob.userAgent);
    bob.userAgent.receiveMessage = async (...given) => {
      await receive(...given);
      bob.userAgent.receiveMessage = receive;
      return reply(408, 'Request Timeout', 'timeout');
    };
    expect(await send('hello')).toMatchObject({ outcome: 'waiting', message: { state: 'sent', level: 'e2e' } });
    await world.pass(10_000);
    expect([own()[0]?.state, shown()]).toEqual(['accepted', ['hello']]);
    expect(bob.account.history.page(aliceUri).messages).toHaveLength(1);
  });

  test('is given up after its time, in words, and never left', async () => {
    world.kms.fault = 'down';
    await restart({ messageLifetimeHours: 1 });
    await send('hello');
    await world.pass(3_610_000);
    expect(own()).toMatchObject([{ state: 'failed', problem: { code: 'kms-unreachable' } }]);
    expect(own()[0]?.problem?.explanation).toMatch(/could not be sent in the time .* The message was not sent\./);
    expect([alice.account.outbox.list(), world.sip.messages]).toEqual([[], []]);
  });

  test('of which it is not known whether it arrived is said to be so when it is given up', async () => {
    await restart({ messageLifetimeHours: 1 });
    world.sip.fault = 'lost';
    await send('hello', 'require-e2ae');
    await world.pass(3_610_000);
    expect(own()).toMatchObject([{ state: 'failed', problem: { uncertain: true } }]);
  });
});

describe('a peer that takes only bare text', () => {
  /** Answers 415 to everything but text/plain. */
  const bareOnly = ({ contentType }: { contentType: string }) =>
    contentType.startsWith('text/plain') ? undefined : reply(415, 'Unsupported Media Type');

  test('is not sent a second copy that it could not tell: the user decides', async () => {
    alice.account.setContactPolicy(bobUri, 'any');
    world.sip.answers = (message) => bareOnly(message) ?? reply(408, 'Request Timeout', 'timeout');
    expect(await send('hello', 'any')).toMatchObject({ outcome: 'waiting', message: { state: 'sent' } });
    world.sip.answers = bareOnly;
    await restart();
    await world.pass(10_000);
    expect(own()).toMatchObject([{ state: 'failed', problem: { uncertain: true } }]);
    expect(shown()).toEqual([]);
    const again = await alice.account.outbox.retry(own()[0]?.id ?? '');
    expect(again).toMatchObject({ state: 'accepted', text: 'hello' });
    expect(shown()).toEqual(['hello']);
  });

  test('is sent another where the network said that the first did not arrive', async () => {
    world.sip.answers = (message) => bareOnly(message) ?? reply(503);
    await send('hello', 'any');
    world.sip.answers = bareOnly;
    await world.pass(10_000);
    expect(own()).toMatchObject([{ state: 'accepted' }]);
    expect(shown()).toEqual(['hello']);
  });

  test('is sent another where nothing of the first left this machine', async () => {
    world.sip.answers = (message) => bareOnly(message) ?? { ...reply(503, '', 'connection-lost'), unsent: true };
    await send('hello', 'any');
    world.sip.answers = bareOnly;
    await world.pass(10_000);
    expect(own()).toMatchObject([{ state: 'accepted' }]);
    expect(shown()).toEqual(['hello']);
  });
});

describe('the order of a conversation', () => {
  test('is kept across both ways of sending, and others do not wait for it', async () => {
    const carol = await world.user('carol');
    world.sip.answers = ({ to }) => (to === bobUri ? reply(503) : undefined);
    await send('one', 'require-e2ae');
    expect(await send('two', 'require-e2e', 'msrp')).toMatchObject({
      outcome: 'waiting',
      message: { state: 'queued', problem: { code: 'connection-lost' } },
    });
    expect(await alice.account.sendMessage({ to: 'sip:carol@lab.test', text: 'hi', way: 'message' })).toMatchObject({
      outcome: 'sent',
    });
    expect(world.sip.invites).toEqual([]);
    world.sip.answers = () => undefined;
    await world.pass(10_000);
    expect(shown()).toEqual(['one', 'two']);
    await carol.account.stop();
  });

  test('does not stop at one that is refused', async () => {
    world.kms.fault = 'down';
    const waiting = [send('one'), send('two', 'any'), send('three', 'any')];
    await Promise.all(waiting);
    world.kms.forbidden.add(aliceUri);
    await world.kmsReturns();
    expect(own().map(({ text, state }) => `${text} ${state}`)).toEqual([
      'one refused',
      'two accepted',
      'three accepted',
    ]);
    expect(shown()).toEqual(['two', 'three']);
  });
});

describe('what was promised', () => {
  test('is kept whatever the policy becomes, also over a restart', async () => {
    world.kms.fault = 'down';
    await send('secret', 'prefer-e2e');
    alice.account.setContactPolicy(bobUri, 'any');
    await restart();
    await world.pass(60_000);
    expect(world.sip.messages).toEqual([]);
    await world.kmsReturns();
    expect(bob.received).toMatchObject([{ text: 'secret', level: 'e2e' }]);
  });

  test.each(ways)('is raised by a stricter policy (%s)', async (way) => {
    await alice.account.unregister();
    await send('hello', 'any', way);
    alice.account.setContactPolicy(bobUri, 'require-e2e');
    await restart();
    await settle();
    expect(bob.received).toMatchObject([{ text: 'hello', level: 'e2e' }]);
  });

  test('waits for a flow on which the network agreed to protect it', async () => {
    await alice.account.unregister();
    await send('hello', 'require-e2ae');
    await restart({ flow: flows.withoutAgreement });
    await world.pass(60_000);
    expect(own()).toMatchObject([{ state: 'queued', problem: { code: 'policy-not-met' } }]);
    alice.userAgent.flow = flows.protected;
    await alice.account.register();
    await settle();
    expect(bob.received).toMatchObject([{ text: 'hello', level: 'e2ae' }]);
  });

  test('asks the user where it cannot be had, and what he then agrees to is sent', async () => {
    await restart({ noKms: true });
    const refused = await send('hello', 'prefer-e2e');
    expect(refused).toMatchObject({
      outcome: 'refused',
      refusal: { code: 'consent-required', offered: 'e2ae' },
      message: { state: 'refused', text: 'hello' },
    });
    expect(own()).toMatchObject([{ state: 'refused', problem: { code: 'consent-required', offered: 'e2ae' } }]);
    await restart({ noKms: true });
    expect(own()).toMatchObject([{ state: 'refused' }]);
  });
});

describe('a restart', () => {
  test('keeps policies and consent of contacts until the account is configured otherwise', async () => {
    await restart({ noKms: true });
    await send('hello', 'prefer-e2e');
    await alice.account.sendMessage({ to: bobUri, text: 'go', way: 'message', consent: true });
    alice.account.setContactPolicy('sip:carol@lab.test', 'require-e2e');
    await restart({ noKms: true });
    expect(await send('still agreed', 'prefer-e2e')).toMatchObject({ outcome: 'sent', message: { level: 'e2ae' } });
    expect([...alice.account.contactPolicies()]).toEqual([['sip:carol@lab.test', 'require-e2e']]);
    await restart({ contactPolicies: { 'sip:carol@lab.test': 'any' } });
    expect([...alice.account.contactPolicies()]).toEqual([['sip:carol@lab.test', 'any']]);
  });

  test('shows what was said before, and drops copies of it', async () => {
    const bobStore = createMemoryStore({ reason: 'test' });
    await bob.account.stop();
    bob = await world.user('bob', { store: bobStore });
    await send('hello', 'require-e2ae');
    const [first] = world.sip.messages;
    await bob.account.stop();
    bob = await world.user('bob', { store: bobStore });
    expect(bob.account.history.conversations()).toMatchObject([
      { peer: aliceUri, unread: 1, lastMessage: { text: 'hello', state: 'received' } },
    ]);
    const { status } = await bob.userAgent.receiveMessage(aliceUri, first!.message);
    expect([status, bob.received, bob.refused.length]).toEqual([200, [], 1]);
    bob.account.history.markRead(aliceUri);
    expect(bob.account.history.conversations()).toMatchObject([{ unread: 0 }]);
  });
});

describe('a store that cannot keep', () => {
  test('refuses what is written, and sends nothing', async () => {
    const full: Store['durable'] = () => Promise.reject(new StoreError('full', 'no room'));
    const broken = { ...store.account(aliceUri), durable: full };
    const whole: Store = { ...store, account: () => broken, durable: full };
    await alice.account.stop();
    alice = await world.user('alice', { store: whole });
    expect(await send('hello')).toMatchObject({ outcome: 'refused', refusal: { code: 'storage-failed' } });
    await settle();
    expect([world.sip.messages, shown(), alice.account.outbox.list()]).toEqual([[], [], []]);
  });

  test('answers what comes in with a request to come again', async () => {
    const full: Store['durable'] = () => Promise.reject(new StoreError('full', 'no room'));
    const bobStore = createMemoryStore({ reason: 'test' });
    const account = bobStore.account(bobUri);
    const broken = { ...account, transaction: account.transaction.bind(account), durable: full };
    await bob.account.stop();
    bob = await world.user('bob', { store: { ...bobStore, account: () => broken } });
    expect(await send('hello', 'require-e2ae')).toMatchObject({ outcome: 'waiting', message: { state: 'sent' } });
    expect(bob.received).toEqual([]);
  });
});

function textOf(body: Uint8Array): string {
  return new TextDecoder('latin1').decode(body);
}

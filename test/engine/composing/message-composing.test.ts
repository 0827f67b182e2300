import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { limits } from '../../../src/engine/limits.ts';
import { contentOf, isSealed, sentBy } from '../support/wire.ts';
import { settle, World, type User, type UserOptions } from '../support/world.ts';

const aliceUri = 'sip:alice@lab.test';
const bobUri = 'sip:bob@lab.test';

let world: World;
let users: User[];
let seen: boolean[];

beforeEach(() => {
  world = new World();
  users = [];
  seen = [];
});

afterEach(async () => {
  await Promise.all(users.map(({ account }) => account.stop()));
  expect(world.clock.waiting).toBe(0);
});

async function two(aliceOptions: UserOptions = {}, bobOptions: UserOptions = {}) {
  const alice = await world.user('alice', aliceOptions);
  const bob = await world.user('bob', bobOptions);
  users.push(alice, bob);
  bob.account.events.on('composing', ({ peer, isWriting }) => {
    expect(peer).toBe(aliceUri);
    seen.push(isWriting);
  });
  return { alice, bob };
}

async function type({ account }: User, isWriting = true): Promise<boolean> {
  const isTold = account.composing({ to: bobUri, isWriting });
  for (let turn = 0; turn < 3; turn++) await settle();
  return isTold;
}

async function say(from: User, way: 'message' | 'msrp' = 'message', policy?: 'require-e2e' | 'require-e2ae') {
  await from.account.sendMessage({ to: bobUri, text: 'hello', way, ...(policy === undefined ? {} : { policy }) });
  for (let turn = 0; turn < 3; turn++) await settle();
}

describe('typing without a session', () => {
  test.each([
    ['require-e2e', true],
    ['prefer-e2e', true],
    ['require-e2ae', false],
    ['any', false],
  ] as const)('is told as protected as a text would be: %s', async (policy, sealed) => {
    const { alice } = await two({ policy }, { policy });
    expect(await type(alice)).toBe(true);
    expect(sentBy(world, 'alice').map(isSealed)).toEqual([sealed]);
    expect(seen).toEqual([true]);
    if (!sealed) expect(contentOf(sentBy(world, 'alice')[0]!)).toMatchObject({ kind: 'composing' });
  });

  test('is told once a minute at most while it goes on, under one ticket, and ends by itself', async () => {
    const { alice } = await two();
    for (let second = 0; second < 130; second += 5) {
      await type(alice);
      world.clock.advance(5_000);
    }
    expect(sentBy(world, 'alice')).toHaveLength(3);
    expect(world.kms.requests).toBe(1);
    expect(seen).toEqual([true]);
    await world.pass(20_000);
    expect(seen).toEqual([true, false]);
  });

  test('is not told more often than once in a while, however often it begins', async () => {
    const { alice } = await two();
    for (let count = 0; count < 10; count++) {
      await type(alice);
      await type(alice, false);
    }
    const told = sentBy(world, 'alice').length;
    expect(told).toBeLessThan(20);
    world.clock.advance(limits.composingGapMilliseconds);
    await type(alice);
    expect(sentBy(world, 'alice')).toHaveLength(told + 1);
  });

  test('ends when the text comes', async () => {
    const { alice } = await two();
    await type(alice);
    await say(alice);
    expect(seen).toEqual([true, false]);
  });

  test.each<[string, UserOptions]>([
    ['the account does not tell', { composing: false }],
    ['the network protects less than is demanded', { policy: 'require-e2ae', flow: { protocol: 'tcp' } }],
  ])('is not told when %s', async (_case, options) => {
    const { alice } = await two(options);
    expect(await type(alice)).toBe(false);
    expect(sentBy(world, 'alice')).toEqual([]);
  });

  test('never goes weaker for want of a key', async () => {
    const { alice } = await two();
    world.kms.fault = 'down';
    await type(alice);
    expect(sentBy(world, 'alice')).toEqual([]);
  });

  test('is not told again to a peer that answered 415, until that is forgotten', async () => {
    const { alice, bob } = await two({ policy: 'any' });
    const receive = bob.userAgent.receiveMessage.bind(bob.userAgent);
    bob.userAgent.receiveMessage = async (...message) => ({ ...(await receive(...message)), status: 415 });
    await type(alice);
    world.clock.advance(120_000);
    await settle();
    expect(await type(alice)).toBe(false);
    expect(sentBy(world, 'alice').length).toBeLessThanOrEqual(2);
    const before = sentBy(world, 'alice').length;
    world.clock.advance(limits.peerRefusalMilliseconds);
    await settle();
    expect(await type(alice)).toBe(true);
    expect(sentBy(world, 'alice')).toHaveLength(before + 1);
  });

  test('is not shown when it comes weaker than the policy for the contact allows, or in another name', async () => {
    const { alice, bob } = await two({ policy: 'any' });
    bob.account.setContactPolicy(aliceUri, 'require-e2e');
    await type(alice);
    bob.account.setContactPolicy(aliceUri, undefined);
    const [message] = sentBy(world, 'alice');
    await bob.userAgent.receiveMessage('sip:mallory@lab.test', message!);
    await settle();
    expect(seen).toEqual([]);
    expect(bob.received).toEqual([]);
  });
});

describe('with a session open', () => {
  test('writing ends at once when the text comes as a message of its own', async () => {
    const { alice } = await two();
    await alice.account.openSession({ to: bobUri });
    await type(alice);
    expect(seen).toEqual([true]);
    expect(sentBy(world, 'alice')).toEqual([]);
    await say(alice);
    expect(seen).toEqual([true, false]);
  });

  test('writing that a message told ends when the text comes in the session', async () => {
    const { alice } = await two();
    await type(alice);
    await say(alice, 'msrp', 'require-e2e');
    expect(seen).toEqual([true, false]);
  });
});

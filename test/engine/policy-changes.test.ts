import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { settle, World, type User } from './support/world.ts';

const alice = 'sip:alice@lab.test';
const bob = 'sip:bob@lab.test';
let world: World;
let users: { alice: User; bob: User };

beforeEach(async () => {
  world = new World();
  users = { alice: await world.user('alice', { policy: 'any' }), bob: await world.user('bob', { policy: 'any' }) };
});

afterEach(async () => {
  await Promise.all([users.alice.account.stop(), users.bob.account.stop()]);
  expect(world.clock.waiting).toBe(0);
});

describe('a stricter policy', () => {
  test('ends the sessions that it would not have allowed, on both sides of the call', async () => {
    await users.alice.account.sendMessage({ to: bob, text: 'hello', way: 'msrp' });
    await settle();
    expect(users.bob.account.status().sessions).toMatchObject([{ level: 'unverified' }]);
    users.bob.account.setContactPolicy(alice, 'require-e2e');
    await settle();
    expect(users.bob.account.status().sessions).toEqual([]);
    expect(users.alice.account.status().sessions).toEqual([]);
    expect(users.bob.received).toHaveLength(1);
  });

  test('leaves the sessions that satisfy it, and those with others', async () => {
    const carol = await world.user('carol', { policy: 'any' });
    await users.alice.account.openSession({ to: bob, policy: 'require-e2e' });
    await carol.account.openSession({ to: bob });
    await settle();
    users.bob.account.setContactPolicy(alice, 'require-e2e');
    await settle();
    expect(users.bob.account.status().sessions.map(({ peer }) => peer)).toEqual([alice, 'sip:carol@lab.test']);
    await carol.account.stop();
  });

  test('counts for a session that was being set up when it came', async () => {
    const opening = users.alice.account.openSession({ to: bob });
    users.bob.userAgent.events.on('invite', () => users.bob.account.setContactPolicy(alice, 'require-e2ae'));
    await opening;
    await settle();
    expect(users.bob.account.status().sessions).toEqual([]);
    expect(users.bob.refused.at(-1)?.refusal).toMatchObject({ code: 'policy-not-met', required: 'require-e2ae' });
  });
});

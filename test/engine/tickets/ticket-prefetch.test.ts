import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../../../src/engine/limits.ts';
import { settle, World, type User } from '../support/world.ts';

const day = 24 * 3_600_000;
const contact = (index: number): string => `sip:contact${index}@lab.test`;

let world: World;
let alice: User | undefined;

beforeEach(() => {
  world = new World();
});

afterEach(async () => {
  await alice?.account.stop();
  alice = undefined;
  expect(world.clock.waiting).toBe(0);
});

/** Moves the clock in steps, so that what each timer starts can end before the next. */
async function pass(milliseconds: number, step: number): Promise<void> {
  for (let gone = 0; gone < milliseconds; gone += step) {
    world.clock.advance(step);
    await settle();
  }
}

describe('prefetch', () => {
  it('has a ticket ready for each contact that may be written to end-to-end only, and for no other', async () => {
    const bob = await world.user('bob');
    alice = await world.user('alice', {
      contactPolicies: { 'sip:bob@lab.test': 'require-e2e', 'sip:carol@lab.test': 'any' },
    });
    await pass(5_000, 250);
    expect(world.kms.requests).toBe(1);
    world.kms.fault = 'down';
    const sent = await alice.account.sendMessage({ to: 'sip:bob@lab.test', text: 'hello', way: 'message' });
    expect(sent).toMatchObject({ outcome: 'sent', message: { level: 'e2e' } });
    expect(world.kms.requests).toBe(1);
    await bob.account.stop();
  });

  it('begins when the policy is set, and ends when it is taken back', async () => {
    alice = await world.user('alice');
    await pass(5_000, 500);
    expect(world.kms.requests).toBe(0);
    alice.account.setContactPolicy('sip:bob@lab.test', 'require-e2e');
    alice.account.setContactPolicy('sip:carol@lab.test', 'require-e2e');
    alice.account.setContactPolicy('sip:carol@lab.test', undefined);
    await pass(5_000, 500);
    expect(world.kms.requests).toBe(1);
  });

  it('spreads many contacts over time, a few at once', async () => {
    const contacts = Array.from({ length: 60 }, (_, index) => [contact(index), 'require-e2e'] as const);
    alice = await world.user('alice', { contactPolicies: Object.fromEntries(contacts) });
    await pass(2_000, 100);
    expect(world.kms.requests).toBeLessThan(30);
    await pass(120 * limits.prefetchGapMilliseconds, 250);
    expect(world.kms.requests).toBe(60);
  });

  it('asks again before the end, at a moment of its own, and never has none', async () => {
    alice = await world.user('alice', { contactPolicies: { 'sip:bob@lab.test': 'require-e2e' } });
    await pass(10_000, 500);
    expect(world.kms.requests).toBe(1);
    await pass(7 * day, day / 24);
    expect(world.kms.requests).toBe(2);
    await pass(7 * day, day / 24);
    expect([3, 4]).toContain(world.kms.requests);
  });

  it('waits while the KMS is away, and goes on when it is back', async () => {
    world.kms.fault = 'down';
    alice = await world.user('alice', {
      contactPolicies: { [contact(1)]: 'require-e2e', [contact(2)]: 'require-e2e', [contact(3)]: 'require-e2e' },
    });
    await pass(3_600_000, 60_000);
    const tries = world.kms.requests;
    expect(tries).toBeLessThan(70);
    await world.kmsReturns();
    await pass(10_000, 500);
    expect(world.kms.requests).toBeGreaterThanOrEqual(tries + 3);
    expect(alice.account.status().kms.state).toBe('ready');
  });

  it('does not ask again and again for whom the KMS refuses', async () => {
    world.kms.pskOf('sip:alice@lab.test');
    world.kms.forbidden.add('sip:alice@lab.test');
    alice = await world.user('alice', { contactPolicies: { [contact(1)]: 'require-e2e' } });
    await pass(day, day / 24);
    expect(world.kms.requests).toBe(1);
  });
});

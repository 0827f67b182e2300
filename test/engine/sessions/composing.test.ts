import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import { concatBytes, fromUtf8 } from '../../../src/base/bytes.ts';
import { ComposingExchange } from '../../../src/engine/sessions/composing-exchange.ts';
import type { ComposingStatus } from '../../../src/protocol/composing/index.ts';
import { settle, World, type User, type UserOptions } from '../support/world.ts';

const aliceAddress = 'sip:alice@lab.test';
const bobAddress = 'sip:bob@lab.test';
const stopping: User[] = [];

afterEach(async () => {
  await Promise.all(stopping.splice(0).map(({ account }) => account.stop()));
});

async function two(aliceOptions: UserOptions = {}) {
  const world = new World();
  const alice = await world.user('alice', aliceOptions);
  const bob = await world.user('bob');
  stopping.push(alice, bob);
  const seen: boolean[] = [];
  bob.account.events.on('composing', ({ peer, isWriting }) => {
    expect(peer).toBe(aliceAddress);
    seen.push(isWriting);
  });
  const statuses = (): string[] =>
    fromUtf8(concatBytes(...world.msrp.written)).match(/<state>(active|idle)<\/state>/g) ?? [];
  return { world, alice, bob, seen, statuses };
}

const type = (user: User, isWriting = true): boolean => user.account.composing({ to: bobAddress, isWriting });

describe('typing', () => {
  it('opens no session, and is told in none that does not satisfy the policy, but by a message of its own', async () => {
    const { world, alice, seen, statuses } = await two();
    expect(type(alice)).toBe(true);
    await settle();
    expect([world.msrp.connections, seen, world.sip.messages.length]).toEqual([0, [true], 1]);
    await alice.account.openSession({ to: bobAddress, policy: 'require-e2e' });
    alice.account.setContactPolicy(bobAddress, 'require-e2ae');
    expect(type(alice)).toBe(true);
    await settle();
    expect(statuses()).toEqual([]);
    expect(alice.account.composing({ to: 'nobody', isWriting: true })).toBe(false);
  });

  it('is told once a minute at most while it goes on, and ends by itself', async () => {
    const { world, alice, seen, statuses } = await two();
    await alice.account.openSession({ to: bobAddress });
    for (let second = 0; second < 130; second += 5) {
      expect(type(alice)).toBe(true);
      await settle();
      world.clock.advance(5_000);
    }
    expect(statuses()).toEqual(Array(3).fill('<state>active</state>'));
    expect(seen).toEqual([true]);
    world.clock.advance(15_000);
    await settle();
    expect(statuses().at(-1)).toBe('<state>idle</state>');
    expect(seen).toEqual([true, false]);
  });

  it('ends with the message, with the emptied text, and with the session', async () => {
    const { alice, seen, statuses } = await two();
    await alice.account.openSession({ to: bobAddress });
    type(alice);
    await settle();
    await alice.account.sendMessage({ to: bobAddress, text: 'done', way: 'msrp' });
    await settle();
    expect([seen, statuses().length]).toEqual([[true, false], 1]);
    type(alice);
    type(alice, false);
    await settle();
    expect(seen).toEqual([true, false, true, false]);
    type(alice);
    await settle();
    await alice.account.closeSession(alice.account.status().sessions[0]!.id);
    await settle();
    expect(seen).toEqual([true, false, true, false, true, false]);
  });

  it('is told to nobody where the account says so', async () => {
    const { alice, seen } = await two({ composing: false });
    await alice.account.openSession({ to: bobAddress });
    expect(type(alice)).toBe(false);
    await settle();
    expect(seen).toEqual([]);
  });

  it('is no message: nothing is kept or answered', async () => {
    const { alice, bob } = await two();
    await alice.account.openSession({ to: bobAddress });
    type(alice);
    await settle();
    expect([bob.received, alice.received, bob.account.conversations()]).toEqual([[], [], []]);
  });
});

describe('a peer that writes', () => {
  function watching() {
    const clock = new FakeClock();
    const told: ComposingStatus[] = [];
    const changes: boolean[] = [];
    const exchange = new ComposingExchange({
      clock,
      tell: (status) => told.push(status),
      onChange: (isWriting) => changes.push(isWriting),
    });
    return { clock, told, changes, exchange };
  }

  it('counts as writing as long as it says, and no longer', () => {
    const { clock, changes, exchange } = watching();
    exchange.told({ state: 'active', refresh: 90 });
    clock.advance(94_999);
    exchange.told({ state: 'active', refresh: 90 });
    clock.advance(94_999);
    expect(changes).toEqual([true]);
    clock.advance(1);
    expect(changes).toEqual([true, false]);
    exchange.told({ state: 'idle' });
    expect(changes).toEqual([true, false]);
    expect(clock.waiting).toBe(0);
  });

  it('leaves no timer behind when the session ends', () => {
    const { clock, told, changes, exchange } = watching();
    exchange.typed();
    exchange.told({ state: 'active' });
    exchange.close();
    expect([clock.waiting, changes, told.length]).toEqual([0, [true, false], 1]);
  });
});

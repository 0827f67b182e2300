import { describe, expect, test } from 'vitest';
import type { Policy } from '../../../src/base/protection-level.ts';
import type { MessageWay } from '../../../src/engine/chat-message.ts';
import { MortalDevice } from '../support/mortal-device.ts';
import { settle, World, type User } from '../support/world.ts';

const bobUri = 'sip:bob@lab.test';
const texts = ['one', 'two', 'three'];

interface Stage {
  readonly world: World;
  readonly alice: () => User;
  readonly bob: () => User;
}

/** Two devices of which one dies at its step `diesAt` and is started again; returns how many steps it had. */
async function play(
  mortal: 'alice' | 'bob',
  diesAt: number | undefined,
  act: (stage: Stage) => Promise<void>,
): Promise<{ readonly steps: number; readonly stage: Stage }> {
  const world = new World();
  const devices = { alice: new MortalDevice(), bob: new MortalDevice() };
  const users: Record<'alice' | 'bob', User> = {
    alice: await world.user('alice', { device: devices.alice }),
    bob: await world.user('bob', { device: devices.bob }),
  };
  const device = devices[mortal];
  // What happens on the way to the registration is not what is tried here.
  await settle();
  device.steps = 0;
  device.diesAt = diesAt;
  device.onDeath = () => world.msrp.cutAll();
  const stage = { world, alice: () => users.alice, bob: () => users.bob };
  await act(stage);
  for (let rounds = 0; rounds < 200; rounds++) {
    if (device.isDead) {
      device.diesAt = undefined;
      users[mortal] = await world.user(mortal, { device });
    }
    if (users.alice.account.outbox.list().length === 0) break;
    await world.pass(5_000);
  }
  await settle();
  return { steps: device.steps, stage };
}

async function sendAll({ alice }: Stage, way: MessageWay, policy: Policy): Promise<void> {
  // The answers to what is asked of a program that dies never come.
  for (const text of texts) void alice().account.sendMessage({ to: bobUri, text, way, policy });
  await settle();
}

/** Of those that were accepted, each is at the other side once, in order, and known to be there. */
function check({ alice, bob }: Stage): void {
  const own = alice().account.history.page(bobUri).messages;
  const shown = bob().account.history.page('sip:alice@lab.test').messages;
  expect(own.map(({ text }) => text)).toEqual(texts.slice(0, own.length));
  expect(shown.map(({ text, state }) => `${text} ${state}`)).toEqual(own.map(({ text }) => `${text} received`));
  expect(own.every(({ state }) => ['accepted', 'delivered', 'displayed'].includes(state))).toBe(true);
  expect(alice().account.outbox.list()).toEqual([]);
}

const cases: readonly [MessageWay, Policy][] = [
  ['message', 'require-e2e'],
  ['message', 'require-e2ae'],
  ['msrp', 'require-e2e'],
];

describe.each(cases)('a program that sends by %s under %s and is killed at any step', (way, policy) => {
  test.each(['alice', 'bob'] as const)('%s: each message is shown exactly once, in order', async (mortal) => {
    const whole = await play(mortal, undefined, (stage) => sendAll(stage, way, policy));
    check(whole.stage);
    expect(whole.stage.bob().account.history.page('sip:alice@lab.test').messages).toHaveLength(texts.length);
    expect(whole.steps).toBeGreaterThanOrEqual(texts.length * 2);
    for (let diesAt = 0; diesAt <= whole.steps; diesAt++) {
      const { stage } = await play(mortal, diesAt, (one) => sendAll(one, way, policy));
      check(stage);
    }
  });
});

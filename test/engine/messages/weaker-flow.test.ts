import { afterEach, beforeEach, expect, test } from 'vitest';
import { flows } from '../support/memory-sip.ts';
import { settle, World, type User } from '../support/world.ts';

let world: World;
let alice: User;
let bob: User;

beforeEach(async () => {
  world = new World();
  alice = await world.user('alice');
  bob = await world.user('bob');
});

afterEach(async () => {
  await Promise.all([alice.account.stop(), bob.account.stop()]);
  expect(world.clock.waiting).toBe(0);
});

test('a message whose connection got weaker after it was judged does not leave over the weaker one', async () => {
  alice.account.events.on('messageState', ({ state }) => {
    if (state === 'sent') alice.userAgent.flow = flows.withoutAgreement;
  });
  const outcome = alice.account.sendMessage({
    to: 'sip:bob@lab.test',
    text: 'for the edge and no further',
    way: 'message',
    policy: 'require-e2ae',
  });
  await settle();
  expect(world.sip.messages).toEqual([]);
  expect(bob.received).toEqual([]);
  await expect(outcome).resolves.not.toMatchObject({ outcome: 'sent' });
});

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { foreignMessage, type ForeignMessage } from './support/foreign-message.ts';
import { settle, World, type User } from './support/world.ts';

const alice = 'sip:alice@lab.test';
const bobUri = 'sip:bob@lab.test';
const mallory = 'sip:mallory@lab.test';
const text = 'send the money';

let world: World;
let bob: User;

beforeEach(async () => {
  world = new World();
  bob = await world.user('bob');
  for (const user of [alice, mallory]) world.kms.pskOf(user);
});

afterEach(() => bob.account.stop());

/** Comes over a network that names no sender of its own. */
async function receive(message: Omit<ForeignMessage, 'to' | 'text'>, from = message.name) {
  world.sip.assertedIdentity = () => undefined;
  const reply = await bob.userAgent.receiveMessage(from, await foreignMessage(world, { to: bobUri, text, ...message }));
  await settle();
  return reply;
}

describe('who wrote a protected message', () => {
  test('is proven by a ticket with forking and a proof of origin', async () => {
    await receive({ holder: alice, name: alice });
    expect(bob.received).toMatchObject([
      { from: alice, text, level: 'e2e', evidence: { origin: 'proven', vouchedBy: 'kms' } },
    ]);
  });

  test('is not proven by a ticket that anybody may hand on: not e2e, nobody vouches', async () => {
    await receive({ holder: mallory, name: alice, flags: { I: false } });
    expect(bob.received).toMatchObject([
      { from: alice, text, level: 'unverified', evidence: { origin: 'unproven', vouchedBy: 'nobody' } },
    ]);
  });

  test('is not proven without a proof that binds the text to the ticket', async () => {
    await receive({ holder: alice, name: alice, withProof: false });
    expect(bob.received).toMatchObject([{ level: 'unverified', evidence: { origin: 'unproven' } }]);
  });

  test.each([{ flags: { I: false } }, { withProof: false }])('must be proven under require-e2e: %j', async (weaker) => {
    bob.account.setContactPolicy(alice, 'require-e2e');
    await receive({ holder: alice, name: alice, ...weaker });
    expect(bob.received).toEqual([]);
    expect(bob.refused).toMatchObject([{ peer: alice, refusal: { code: 'policy-not-met', reached: 'unverified' } }]);
  });

  test('is not believed to be the one under whose name an unreadable message was kept', async () => {
    world.kms.fault = 'none';
    const message = await foreignMessage(world, { holder: mallory, name: mallory, to: bobUri, text });
    world.sip.assertedIdentity = () => undefined;
    world.kms.fault = 'down';
    await bob.userAgent.receiveMessage(alice, message);
    await settle();
    expect(bob.received).toMatchObject([{ from: alice, state: 'undecryptable', evidence: { vouchedBy: 'nobody' } }]);
    await world.kmsReturns();
    await settle();
    expect(bob.states).toMatchObject([{ from: alice, state: 'undecryptable', text: '' }]);
  });
});

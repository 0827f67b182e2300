import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { limits } from '../../../src/engine/limits.ts';
import { createMemoryStore } from '../../../src/engine/store/index.ts';
import { foreignMessage } from '../support/foreign-message.ts';
import { isSealed, sentBy } from '../support/wire.ts';
import { settle, World, type User, type UserOptions } from '../support/world.ts';

const aliceUri = 'sip:alice@lab.test';
const bobUri = 'sip:bob@lab.test';
const text = 'the eagle lands at noon';
const days = (count: number): number => count * 24 * 3_600_000;

let world: World;
let users: User[];

beforeEach(() => {
  world = new World();
  users = [];
});

afterEach(() => Promise.all(users.map(({ account }) => account.stop())));

async function user(name: string, options: UserOptions = {}): Promise<User> {
  const made = await world.user(name, options);
  users.push(made);
  return made;
}

async function send(from: User, said = text) {
  const outcome = await from.account.sendMessage({ to: bobUri, text: said, way: 'message', policy: 'require-e2e' });
  await settle();
  if (outcome.outcome !== 'sent') throw new Error(outcome.outcome);
  return outcome.message;
}

const shown = ({ account }: User) => account.conversations().flatMap(({ messages }) => messages);

/** The KMS opens nothing for bob while this is in force. */
const forbidBob = (): void => void world.kms.forbidden.add(bobUri);
const allowBob = (): void => void world.kms.forbidden.delete(bobUri);

describe('a message that cannot be read yet', () => {
  test('is kept over restarts, and read when the key can be had', async () => {
    const store = createMemoryStore({ reason: 'test' });
    const [alice, bob] = [await user('alice'), await user('bob', { store })];
    await send(alice, 'one that alice has a ticket for');
    world.kms.fault = 'down';
    await send(alice);
    const [, kept] = shown(bob);
    expect(kept).toMatchObject({ state: 'undecryptable', text: '', problem: { code: 'kms-unreachable' } });
    await world.kill(bob);
    const again = await user('bob', { store });
    await settle();
    expect(shown(again)[1]).toMatchObject({ id: kept?.id, state: 'undecryptable' });
    await world.kill(again);
    world.kms.fault = 'none';
    const last = await user('bob', { store });
    await settle();
    await settle();
    expect(shown(last)[1]).toMatchObject({ id: kept?.id, state: 'received', text, level: 'e2e' });
    expect(shown(last)[1]?.problem).toBeUndefined();
    expect(store.account(bobUri).sealed.list()).toEqual([]);
  });

  test('is there after a restart though the program ended before it was opened', async () => {
    const store = createMemoryStore({ reason: 'test' });
    const [alice, bob] = [await user('alice'), await user('bob', { store })];
    await send(alice, 'one that alice has a ticket for');
    world.kms.fault = 'silent';
    await alice.account.sendMessage({ to: bobUri, text, way: 'message', policy: 'require-e2e' });
    expect(shown(bob)).toHaveLength(1);
    await world.kill(bob);
    world.kms.fault = 'none';
    const again = await user('bob', { store });
    await settle();
    await settle();
    expect(shown(again).map((message) => message.text)).toEqual(['one that alice has a ticket for', text]);
    await world.pass(20_000);
  });

  test('is tried again after a restart when the key server had refused', async () => {
    const store = createMemoryStore({ reason: 'test' });
    const [alice, bob] = [await user('alice'), await user('bob', { store })];
    forbidBob();
    await send(alice);
    expect(shown(bob)).toMatchObject([{ state: 'undecryptable', problem: { code: 'kms-refused' } }]);
    allowBob();
    await world.kill(bob);
    const again = await user('bob', { store });
    await settle();
    await settle();
    expect(shown(again)).toMatchObject([{ state: 'received', text }]);
  });

  test('is given up, and stays visible, when its ticket ends', async () => {
    const store = createMemoryStore({ reason: 'test' });
    const [alice, bob] = [await user('alice'), await user('bob', { store })];
    forbidBob();
    await send(alice);
    await world.kill(bob);
    world.clock.advance(days(8));
    const again = await user('bob', { store });
    await settle();
    expect(shown(again)).toMatchObject([{ state: 'undecryptable', problem: { code: 'ticket-invalid' } }]);
    expect(store.account(bobUri).sealed.list()).toEqual([]);
  });
});

describe('a message that comes after its ticket has ended', () => {
  test('is shown as what nobody can read any more, once, whatever becomes of the program', async () => {
    const store = createMemoryStore({ reason: 'test' });
    const bob = await user('bob', { store });
    world.kms.pskOf(aliceUri);
    const message = await foreignMessage(world, { holder: aliceUri, name: aliceUri, to: bobUri, text });
    world.clock.advance(days(365));
    expect(await bob.userAgent.receiveMessage(aliceUri, message)).toMatchObject({ status: 200 });
    expect(await bob.userAgent.receiveMessage(aliceUri, message)).toMatchObject({ status: 200 });
    expect(shown(bob)).toMatchObject([{ state: 'undecryptable', text: '', problem: { code: 'ticket-invalid' } }]);
    expect(bob.refused).toMatchObject([{ refusal: { code: 'replayed' } }]);
    await world.kill(bob);
    const again = await user('bob', { store });
    await again.userAgent.receiveMessage(aliceUri, message);
    await settle();
    expect(shown(again)).toHaveLength(1);
    expect(world.kms.resolves).toBe(0);
  });

  test('is no second copy of one that was read in its time', async () => {
    const [alice, bob] = [await user('alice'), await user('bob')];
    await send(alice);
    const [{ from, message }] = world.sip.messages as [(typeof world.sip.messages)[number]];
    world.clock.advance(days(365));
    await bob.userAgent.receiveMessage(from, message);
    await settle();
    expect(shown(bob)).toHaveLength(1);
    expect(bob.refused).toMatchObject([{ refusal: { code: 'replayed' } }]);
  });
});

describe('a request to send again', () => {
  async function unreadable(aliceOptions: UserOptions = {}) {
    const [alice, bob] = [await user('alice', aliceOptions), await user('bob')];
    forbidBob();
    const sent = await send(alice);
    const [kept] = shown(bob);
    if (kept === undefined) throw new Error('nothing is shown');
    allowBob();
    world.kms.forbidden.clear();
    return { alice, bob, sent, kept };
  }

  async function ask(bob: User, id: string) {
    const outcome = bob.account.askResend(id);
    await settle();
    await settle();
    await settle();
    return outcome;
  }

  test('is answered for a contact, end to end, and what could not be read is replaced by what can', async () => {
    const { alice, bob, sent, kept } = await unreadable({ contactPolicies: { [bobUri]: 'require-e2e' } });
    expect(kept).toMatchObject({ state: 'undecryptable', messageId: sent.id });
    expect(await ask(bob, kept.id)).toBe('asked');
    expect(shown(bob)).toMatchObject([{ id: kept.id, state: 'received', text, level: 'e2e', messageId: sent.id }]);
    expect(sentBy(world, 'alice').map(isSealed)).toEqual([true, true]);
    expect(sentBy(world, 'bob').map(isSealed)).toEqual([true]);
    expect(shown(alice)).toMatchObject([{ id: sent.id, text }]);
    expect(bob.account.askResend(kept.id)).toBe('not-unreadable');
  });

  test('of somebody who is no contact is shown to the user, who may send it again', async () => {
    const { alice, bob, sent, kept } = await unreadable();
    await ask(bob, kept.id);
    expect(sentBy(world, 'alice')).toHaveLength(1);
    expect(shown(alice)).toMatchObject([{ id: sent.id, state: 'failed', problem: { code: 'decryption-failed' } }]);
    expect(shown(bob)).toMatchObject([{ state: 'undecryptable' }]);
    await alice.account.outbox.retry(sent.id);
    await settle();
    expect(shown(bob)).toMatchObject([{ id: kept.id, state: 'received', text }]);
  });

  test('is answered for nobody where the account says so', async () => {
    const { alice, bob, kept } = await unreadable({
      contactPolicies: { [bobUri]: 'require-e2e' },
      messages: { resend: 'never' },
    });
    await ask(bob, kept.id);
    expect(sentBy(world, 'alice')).toHaveLength(1);
    expect(shown(alice)).toMatchObject([{ state: 'failed' }]);
  });

  test('is made and answered a few times only', async () => {
    const { alice, bob, kept } = await unreadable({ contactPolicies: { [bobUri]: 'require-e2e' } });
    forbidBob();
    const exchange = world.kms.exchange.bind(world.kms);
    world.kms.forbidden.clear();
    // Bob may ask for tickets, and opens nothing.
    world.kms.exchange = (kind, ...asked) =>
      kind === 'ticketresolve' && sentBy(world, 'alice').length > 1 && world.kms.resolves % 2 === 0
        ? exchange(kind, ...asked)
        : exchange(kind, ...asked);
    const outcomes: string[] = [];
    for (let count = 0; count < limits.resendAsks + 1; count++) outcomes.push(bob.account.askResend(kept.id));
    expect(outcomes).toEqual([...Array<string>(limits.resendAsks).fill('asked'), 'asked-enough']);
    await settle();
    await settle();
    await settle();
    // The same request, made again before the first has gone, is one.
    expect(sentBy(world, 'alice').length).toBeLessThanOrEqual(1 + limits.resends);
    expect(alice.account.conversations()[0]?.messages).toHaveLength(1);
  });

  test('cannot be made of what has no id in clear, is readable, or is not there', async () => {
    const bob = await user('bob');
    world.kms.pskOf(aliceUri);
    forbidBob();
    await bob.userAgent.receiveMessage(
      aliceUri,
      await foreignMessage(world, { holder: aliceUri, name: aliceUri, to: bobUri, text }),
    );
    await settle();
    expect(bob.account.askResend(shown(bob)[0]?.id ?? '')).toBe('without-id');
    expect(bob.account.askResend('nothing')).toBe('not-unreadable');
  });

  test('is not believed when it comes less protected than the message, or from somebody else', async () => {
    const { alice, bob, kept } = await unreadable({ contactPolicies: { [bobUri]: 'require-e2e' } });
    const mallory = await user('mallory');
    await ask(bob, kept.id);
    const before = sentBy(world, 'alice').length;
    const [request] = sentBy(world, 'bob');
    await alice.userAgent.receiveMessage('sip:mallory@lab.test', request!);
    await settle();
    expect(sentBy(world, 'alice')).toHaveLength(before);
    expect(mallory.received).toEqual([]);
  });
});

describe('a receipt that cannot be read yet', () => {
  test('is not shown as a message, and counts when it can', async () => {
    const [alice, bob] = [await user('alice', { receipts: {} }), await user('bob', { receipts: {} })];
    const sent = await send(alice);
    await settle();
    world.kms.fault = 'down';
    bob.account.markDisplayed(aliceUri, shown(bob)[0]?.id ?? '');
    await settle();
    expect(shown(alice)).toMatchObject([{ id: sent.id, state: 'delivered' }]);
    expect(alice.received).toEqual([]);
    await world.kmsReturns();
    await settle();
    expect(shown(alice)).toMatchObject([{ id: sent.id, state: 'displayed' }]);
  });
});

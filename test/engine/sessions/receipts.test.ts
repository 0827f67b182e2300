import { afterEach, describe, expect, it } from 'vitest';
import { concatBytes, fromUtf8 } from '../../../src/base/bytes.ts';
import type { ChatMessage } from '../../../src/engine/chat-message.ts';
import { limits } from '../../../src/engine/limits.ts';
import { AwaitedDisplays, SentReceipts } from '../../../src/engine/sessions/session-receipts.ts';
import type { ImdnPayload } from '../../../src/protocol/imdn/index.ts';
import { evidenceFor } from '../../support/evidence.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { settle, World, type User, type UserOptions } from '../support/world.ts';

const aliceAddress = 'sip:alice@lab.test';
const bobAddress = 'sip:bob@lab.test';
const stopping: User[] = [];

afterEach(async () => {
  await Promise.all(stopping.splice(0).map(({ account }) => account.stop()));
});

async function two(bobOptions: UserOptions = {}): Promise<{ world: World; alice: User; bob: User }> {
  const world = new World();
  const alice = await world.user('alice');
  const bob = await world.user('bob', bobOptions);
  stopping.push(alice, bob);
  return { world, alice, bob };
}

async function send(from: User, to: string, text: string): Promise<ChatMessage> {
  const outcome = await from.account.sendMessage({ to, text, way: 'msrp', policy: 'require-e2e' });
  if (outcome.outcome !== 'sent') throw new Error(JSON.stringify(outcome));
  await settle();
  return outcome.message;
}

const statesOf = (user: User, id: string): string[] =>
  user.states.filter((message) => message.id === id && isTold(message.state)).map(({ state }) => state);
const isTold = (state: string): boolean => state === 'delivered' || state === 'displayed';

/** What the connections carried as notifications. */
const notices = (world: World): string[] =>
  fromUtf8(concatBytes(...world.msrp.written)).match(/<(delivered|displayed)\/>/g) ?? [];

describe('the fate of a text in a session', () => {
  it('is told by the device that took it, then by the one that showed it', async () => {
    const { world, alice, bob } = await two();
    const message = await send(alice, bobAddress, 'hello');
    expect(statesOf(alice, message.id)).toEqual(['delivered']);
    expect(notices(world)).toEqual(['<delivered/>']);
    bob.account.markDisplayed(aliceAddress, bob.received[0]!.id);
    await settle();
    expect(statesOf(alice, message.id)).toEqual(['delivered', 'displayed']);
    expect(notices(world)).toEqual(['<delivered/>', '<displayed/>']);
    // Nobody answers a notice, and what was told is not told again.
    bob.account.markDisplayed(aliceAddress, bob.received[0]!.id);
    await settle();
    expect(notices(world)).toHaveLength(2);
    expect([alice.received, bob.received.length]).toEqual([[], 1]);
  });

  it('is told for everything up to what was seen, and for nothing after it', async () => {
    const { alice, bob } = await two();
    const messages = [];
    for (const text of ['one', 'two', 'three']) messages.push(await send(alice, bobAddress, text));
    bob.account.markDisplayed(aliceAddress, bob.received[1]!.id);
    await settle();
    expect(messages.map(({ id }) => statesOf(alice, id).at(-1))).toEqual(['displayed', 'displayed', 'delivered']);
  });

  it('is asked for in the text, and travels under the protection of its session', async () => {
    const { world, alice, bob } = await two();
    await send(alice, bobAddress, 'hello');
    const wire = fromUtf8(concatBytes(...world.msrp.written));
    expect(wire).toContain('imdn.Disposition-Notification: positive-delivery, display');
    const [opened] = alice.account.status().sessions;
    bob.account.markDisplayed(aliceAddress, bob.received[0]!.id);
    await settle();
    expect(world.sip.messages).toEqual([]);
    expect(alice.account.status().sessions).toEqual([opened]);
    expect(world.msrp.connections).toBe(1);
  });

  it.each<[string, UserOptions, string[]]>([
    ['no display', { receipts: { display: false } }, ['<delivered/>']],
    ['no delivery', { receipts: { delivery: false } }, ['<displayed/>']],
    ['nothing', { receipts: { delivery: false, display: false } }, []],
  ])('is not told where the account says %s', async (_, options, expected) => {
    const { world, alice, bob } = await two(options);
    const message = await send(alice, bobAddress, 'hello');
    bob.account.markDisplayed(aliceAddress, bob.received[0]!.id);
    await settle();
    expect(notices(world)).toEqual(expected);
    // What the transport itself reports stays: the device has all of it.
    expect(statesOf(alice, message.id)[0]).toBe('delivered');
  });

  it('opens no session to be told, but uses another that protects as well', async () => {
    const { world, alice, bob } = await two();
    const first = await send(alice, bobAddress, 'first');
    const second = await send(alice, bobAddress, 'second');
    await alice.account.closeSession(alice.account.status().sessions[0]!.id);
    await settle();
    bob.account.markDisplayed(aliceAddress, bob.received[0]!.id);
    await settle();
    expect([notices(world).length, world.msrp.connections]).toEqual([2, 1]);
    await send(bob, aliceAddress, 'a new session');
    bob.account.markDisplayed(aliceAddress, bob.received[1]!.id);
    await settle();
    expect([first, second].map(({ id }) => statesOf(alice, id).at(-1))).toEqual(['delivered', 'displayed']);
  });

  it('is told in a strange conversation, or of a message that is not there, to nobody', async () => {
    const { world, alice, bob } = await two();
    await send(alice, bobAddress, 'hello');
    bob.account.markDisplayed('sip:carol@lab.test', bob.received[0]!.id);
    bob.account.markDisplayed(aliceAddress, 'no-such-message');
    await settle();
    expect(notices(world)).toEqual(['<delivered/>']);
  });
});

describe('what peers tell of our texts', () => {
  const message: ChatMessage = {
    id: 'text-1',
    conversation: bobAddress,
    direction: 'out',
    from: aliceAddress,
    to: bobAddress,
    text: 'hello',
    at: 1,
    way: 'msrp',
    level: 'e2e',
    state: 'delivered',
  };
  const session = {
    id: 'session-1',
    peer: bobAddress,
    direction: 'out',
    level: 'e2e',
    evidence: evidenceFor('e2e', 'msrp', 1, bobAddress),
    openedAt: 1,
  } as const;
  const displayed: ImdnPayload = { kind: 'display', status: 'displayed', messageId: 'text-1', dateTime: 1 };

  function book(kept: ChatMessage | undefined) {
    const changes: string[] = [];
    let current = kept;
    const receipts = new SentReceipts({
      log: silentLogger,
      find: (id) => (current?.id === id ? current : undefined),
      change: (id, state) => {
        changes.push(`${id} ${state}`);
        if (current !== undefined) current = { ...current, state };
      },
    });
    return { receipts, changes, keep: (one: ChatMessage) => (current = one) };
  }

  it.each<[string, ChatMessage | undefined, Partial<typeof session> | object, Partial<ImdnPayload>]>([
    ['of unknown messages', undefined, {}, {}],
    ['of another message', message, {}, { messageId: 'text-2' }],
    ['by somebody else', message, { peer: 'sip:mallory@lab.test' }, {}],
    ['by a weaker session', message, { level: 'e2ae' }, {}],
    ['of a message that came in', { ...message, direction: 'in' }, {}, {}],
    ['of a message by the other way', { ...message, way: 'message' }, {}, {}],
    ['of a failed message', { ...message, state: 'failed' }, {}, {}],
    ['that the peer forbids to tell', message, {}, { status: 'forbidden' }],
    ['of errors', message, {}, { status: 'error' }],
    ['that is known', { ...message, state: 'displayed' }, {}, {}],
    ['that lies behind', { ...message, state: 'displayed' }, {}, { kind: 'delivery', status: 'delivered' }],
  ])('changes nothing %s', (_, kept, change, payload) => {
    const { receipts, changes } = book(kept);
    receipts.told({ ...session, ...change }, { ...displayed, ...payload });
    expect(changes).toEqual([]);
  });

  it('waits for a text that is on its way still, and is dropped with it', () => {
    const { receipts, changes, keep } = book(undefined);
    receipts.begin('text-1');
    receipts.told(session, displayed);
    for (let count = 0; count < 100; count++) receipts.told(session, displayed);
    expect(changes).toEqual([]);
    keep(message);
    receipts.finish('text-1');
    expect(changes).toEqual(['text-1 displayed']);
    receipts.begin('text-2');
    receipts.told(session, { ...displayed, messageId: 'text-2' });
    receipts.abandon('text-2');
    keep({ ...message, id: 'text-2' });
    receipts.finish('text-2');
    expect(changes).toHaveLength(1);
  });

  it('keeps a bounded number of displays to be told, the newest', () => {
    const awaited = new AwaitedDisplays();
    const ids = Array.from({ length: limits.awaitedDisplays + 10 }, (_, index) => `id-${index}`);
    for (const id of ids) awaited.add({ id, peer: bobAddress, sessionId: 's', level: 'e2e', messageId: id });
    expect(awaited.take(bobAddress, ids).map(({ id }) => id)).toEqual(ids.slice(10));
    expect(awaited.take(bobAddress, ids)).toEqual([]);
  });
});

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { groupId } from '../../../src/engine/groups/group.ts';
import { limits } from '../../../src/engine/limits.ts';
import type { IncomingMessage } from '../../../src/engine/sip/index.ts';
import { createMemoryStore, StoreError } from '../../../src/engine/store/index.ts';
import { cpimText } from '../../../src/engine/text-content.ts';
import { foreignMessage } from '../support/foreign-message.ts';
import { listService } from '../support/memory-list-service.ts';
import { settle, World, type User, type UserOptions } from '../support/world.ts';

const aliceUri = 'sip:alice@lab.test';
const bobUri = 'sip:bob@lab.test';
const carolUri = 'sip:carol@lab.test';
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

async function settled(): Promise<void> {
  for (let turn = 0; turn < 6; turn++) await settle();
}

const shown = ({ account }: User) => account.conversations().flatMap(({ messages }) => messages);

function cpim(from: string, to: readonly string[], messageId: string, text: string): string {
  const headers = [
    `From: <${from}>`,
    ...to.map((uri) => `To: <${uri}>`),
    'NS: imdn <urn:ietf:params:imdn>',
    `imdn.Message-ID: ${messageId}`,
  ];
  return [...headers, '', 'Content-Type: text/plain;charset=utf-8', '', text].join('\r\n');
}

describe('what one member of a group proves', () => {
  test('is not lent to what another is said to have written', async () => {
    world.sip.listService = listService;
    const options = { messages: { listService }, policy: 'any' } as const;
    const [bob, mallory] = [await user('bob', options), await user('mallory', options)];
    await user('carol', options);
    const members = [bobUri, carolUri, 'sip:mallory@lab.test'];
    await mallory.account.sendToGroup({ recipients: [bobUri, carolUri], text: 'we resign', policy: 'require-e2e' });
    await settled();
    const [proven] = shown(bob);
    expect(proven).toMatchObject({ conversation: groupId(members), level: 'e2e', from: 'sip:mallory@lab.test' });
    // The same words under the same id, first under a name that nothing proves.
    const other = await user('bob', options);
    other.userAgent.flow = { protocol: 'tcp' };
    const [request] = world.sip.messages.map(({ message }) => message);
    const forged = cpim(carolUri, [bobUri, 'sip:mallory@lab.test'], proven?.messageId ?? '', 'we resign');
    await other.userAgent.receiveMessage(carolUri, {
      to: bobUri,
      contentType: 'message/cpim',
      body: utf8(forged),
    });
    await other.userAgent.receiveMessage('sip:mallory@lab.test', request!);
    await settled();
    expect(shown(other).map(({ from, level }) => [from, level])).toEqual([
      [carolUri, 'none'],
      ['sip:mallory@lab.test', 'e2e'],
    ]);
  });
});

describe('a copy of what we are said to have sent', () => {
  test('is not shown in a conversation that demands more than it proves', async () => {
    const bob = await user('bob', { flow: { protocol: 'tcp' } });
    bob.account.setContactPolicy(carolUri, 'require-e2e');
    await bob.userAgent.receiveMessage(bobUri, {
      to: carolUri,
      contentType: 'message/cpim',
      body: utf8(cpim(bobUri, [carolUri], 'm1', 'the password is swordfish')),
    });
    await settled();
    expect(shown(bob).filter(({ text }) => text !== '')).toEqual([]);
    expect(bob.refused).toMatchObject([{ refusal: { code: 'policy-not-met' } }]);
  });
});

describe('a message that cannot be read', () => {
  test('is not replaced by one in clear that claims its Message-ID', async () => {
    const store = createMemoryStore({ reason: 'test' });
    const alice = await user('alice', { policy: 'any' });
    const bob = await user('bob', { store, policy: 'any' });
    await alice.account.sendMessage({ to: bobUri, text: 'a ticket', way: 'message', policy: 'require-e2e' });
    await settled();
    world.kms.fault = 'down';
    await alice.account.sendMessage({ to: bobUri, text: 'the truth', way: 'message', policy: 'require-e2e' });
    await settled();
    const [, unread] = shown(bob);
    expect(unread).toMatchObject({ state: 'undecryptable' });
    await bob.userAgent.receiveMessage(aliceUri, {
      to: bobUri,
      contentType: 'message/cpim',
      body: utf8(cpim(aliceUri, [bobUri], unread?.messageId ?? '', 'a lie')),
    });
    await settled();
    await world.kill(bob);
    const again = await user('bob', { store, policy: 'any' });
    await settled();
    await world.kmsReturns();
    await settled();
    expect(shown(again).find(({ id }) => id === unread?.id)).toMatchObject({ text: 'the truth', level: 'e2e' });
  });

  test('is shown once, however often the same octets come, and takes no room twice', async () => {
    const store = createMemoryStore({ reason: 'test' });
    const bob = await user('bob', { store });
    world.kms.pskOf(aliceUri);
    const message = await foreignMessage(world, { holder: aliceUri, name: aliceUri, to: bobUri, text: 'hello' });
    world.kms.forbidden.add(bobUri);
    for (let times = 0; times < 3; times++) {
      expect(await bob.userAgent.receiveMessage(aliceUri, message)).toMatchObject({ status: 200 });
      await settled();
    }
    expect(shown(bob)).toHaveLength(1);
    expect(store.account(bobUri).sealed.list()).toHaveLength(1);
  });

  test('stays one message when it can never be read and comes again', async () => {
    const bob = await user('bob');
    world.kms.pskOf(aliceUri);
    const message = await foreignMessage(world, { holder: aliceUri, name: aliceUri, to: bobUri, text: 'hello' });
    world.kms.fault = 'garbage';
    for (let times = 0; times < 3; times++) {
      await bob.userAgent.receiveMessage(aliceUri, message);
      await settled();
    }
    expect(shown(bob)).toHaveLength(1);
  });

  test('leaves a trace when its key ended before the program had opened it', async () => {
    const store = createMemoryStore({ reason: 'test' });
    world.kms.pskOf(aliceUri);
    const { contentType, body } = await foreignMessage(world, {
      holder: aliceUri,
      name: aliceUri,
      to: bobUri,
      text: 'hello',
    });
    // What is on the disk when the program is killed between its 200 and the answer of the key server.
    const receivedAt = world.clock.now();
    store.account(bobUri).sealed.put({ id: 'm1', contentType, body, asserted: aliceUri, receivedAt });
    world.clock.advance(days(30));
    const again = await user('bob', { store });
    await settled();
    expect(shown(again)).toMatchObject([
      { state: 'undecryptable', from: aliceUri, problem: { code: 'ticket-invalid' } },
    ]);
    expect(store.account(bobUri).sealed.list()).toEqual([]);
  });

  test('does not come back when the user has removed it', async () => {
    const bob = await user('bob');
    world.kms.pskOf(aliceUri);
    const message = await foreignMessage(world, { holder: aliceUri, name: aliceUri, to: bobUri, text: 'hello' });
    world.kms.fault = 'down';
    await bob.userAgent.receiveMessage(aliceUri, message);
    await settled();
    bob.account.history.remove(shown(bob)[0]?.id ?? '');
    await world.kmsReturns();
    await settled();
    expect(shown(bob)).toEqual([]);
  });

  test('of strangers takes a bounded place on the disk, and the newest stay', async () => {
    const store = createMemoryStore({ reason: 'test' });
    const bob = await user('bob', { store });
    world.kms.pskOf(aliceUri);
    world.kms.forbidden.add(bobUri);
    for (let count = 0; count < limits.sealedMessages + 3; count++) {
      const message = await foreignMessage(world, {
        holder: aliceUri,
        name: aliceUri,
        to: bobUri,
        text: 'junk',
        messageId: `m${count}`,
      });
      await bob.userAgent.receiveMessage(aliceUri, message);
      await settle();
    }
    await settled();
    expect(store.account(bobUri).sealed.list().length).toBe(limits.sealedMessages);
    expect(shown(bob).at(-1)).toMatchObject({ problem: { code: 'kms-refused' } });
  });
});

describe('a bare text, which names no Message-ID', () => {
  test('is shown once when the same request comes again over another flow or after a restart', async () => {
    const store = createMemoryStore({ reason: 'test' });
    const bob = await user('bob', { store });
    const request = (cseq: string, text = 'hello'): Promise<number> =>
      new Promise((resolve) => {
        const device = users.at(-1)?.userAgent;
        const incoming: IncomingMessage = {
          from: aliceUri,
          to: bobUri,
          assertedIdentity: aliceUri,
          callId: 'call-1@192.0.2.7',
          flow: device?.flow,
          contentType: 'text/plain',
          body: utf8(text),
          header: (name) => ({ CSeq: cseq, From: `<${aliceUri}>;tag=1` })[name],
          onRegisteredFlow: true,
          respond: resolve,
        };
        device?.events.emit('message', incoming);
      });
    expect(await request('1 MESSAGE')).toBe(200);
    expect(await request('1 MESSAGE')).toBe(200);
    expect(shown(bob)).toHaveLength(1);
    await world.kill(bob);
    const again = await user('bob', { store });
    expect(await request('1 MESSAGE')).toBe(200);
    expect(shown(again)).toHaveLength(1);
    expect(await request('2 MESSAGE')).toBe(200);
    expect(shown(again)).toHaveLength(2);
  });
});

describe('a storage that fails for a moment', () => {
  test('keeps no message from being told when it comes again', async () => {
    const store = createMemoryStore({ reason: 'test' });
    const bob = await user('bob', { store });
    const account = store.account(bobUri);
    const durable = account.durable.bind(account);
    account.durable = () => Promise.reject(new StoreError('full', 'there is no room'));
    const body = utf8(cpim(aliceUri, [bobUri], 'm1', 'hello'));
    const request = { to: bobUri, contentType: 'message/cpim', body };
    expect(await bob.userAgent.receiveMessage(aliceUri, request)).toMatchObject({ status: 503 });
    expect(bob.received).toEqual([]);
    account.durable = durable;
    expect(await bob.userAgent.receiveMessage(aliceUri, request)).toMatchObject({ status: 200 });
    expect(bob.received).toMatchObject([{ text: 'hello' }]);
    expect(shown(bob)).toHaveLength(1);
  });
});

describe('refusals', () => {
  test('of one sender do not fill the disk', async () => {
    const store = createMemoryStore({ reason: 'test' });
    const bob = await user('bob', { store, policy: 'require-e2e' });
    const { contentType, body } = cpimText({ from: aliceUri, to: bobUri, at: 0, messageId: 'x', text: 'junk' });
    for (let count = 0; count < limits.refusalsTogether + 5; count++) {
      await bob.userAgent.receiveMessage(aliceUri, { to: bobUri, contentType, body });
      await settle();
    }
    expect(store.account(bobUri).messages.count()).toBe(limits.refusalsTogether);
    expect(bob.refused).toHaveLength(limits.refusalsTogether + 5);
  });
});

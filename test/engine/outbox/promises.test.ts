import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ChatMessage, SendOutcome } from '../../../src/engine/chat-message.ts';
import { groupId } from '../../../src/engine/groups/group.ts';
import { limits } from '../../../src/engine/limits.ts';
import { createMemoryStore, StoreError, type Store } from '../../../src/engine/store/index.ts';
import { listService } from '../support/memory-list-service.ts';
import { flows, reply } from '../support/memory-sip.ts';
import { isSealed, sentBy } from '../support/wire.ts';
import { settle, World, type User, type UserOptions } from '../support/world.ts';

const uri = (name: string): string => `sip:${name}@lab.test`;
const year = 365 * 24 * 3_600_000;

let world: World;
let store: Store;
let users: User[];

beforeEach(() => {
  world = new World();
  store = createMemoryStore({ reason: 'test' });
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

const own = ({ account }: User, peer = uri('bob')): readonly ChatMessage[] => account.history.page(peer).messages;

describe('a promise that becomes stricter while a message waits', () => {
  test('for one member of a group holds for what waits for the group', async () => {
    world.sip.listService = listService;
    const options = { messages: { listService }, policy: 'any', store } as const;
    const alice = await user('alice', options);
    const bob = await user('bob', { messages: { listService }, policy: 'any' });
    await user('carol', { messages: { listService }, policy: 'any' });
    await alice.account.unregister();
    await alice.account.sendToGroup({ recipients: [uri('bob'), uri('carol')], text: 'hello all' });
    alice.account.setContactPolicy(uri('bob'), 'require-e2e');
    await alice.account.register();
    await settled();
    expect(bob.account.history.page(groupId(['alice', 'bob', 'carol'].map(uri))).messages).toMatchObject([
      { level: 'e2e', text: 'hello all' },
    ]);
  });

  test('for one member of a group ends what was agreed for the group, for later messages too', async () => {
    world.sip.listService = listService;
    const options = { messages: { listService }, policy: 'prefer-e2e', noKms: true, store } as const;
    const alice = await user('alice', options);
    for (const name of ['bob', 'carol']) await user(name, { messages: { listService }, policy: 'any' });
    const toAll = (text: string, consent?: boolean) =>
      alice.account.sendToGroup({
        recipients: [uri('bob'), uri('carol')],
        text,
        ...(consent === undefined ? {} : { consent }),
      });
    await expect(toAll('agreed', true)).resolves.toMatchObject({ outcome: 'sent' });
    await expect(toAll('agreed still')).resolves.toMatchObject({ outcome: 'sent' });
    alice.account.setContactPolicy(uri('bob'), 'prefer-e2e');
    const asked = { outcome: 'refused', refusal: { code: 'consent-required' } };
    await expect(toAll('not agreed any more')).resolves.toMatchObject(asked);
    await alice.account.stop();
    const again = await user('alice', options);
    const request = { recipients: [uri('bob'), uri('carol')], text: 'nor after a restart' };
    await expect(again.account.sendToGroup(request)).resolves.toMatchObject(asked);
  });

  test('keeps a message back that is already being written to the disk', async () => {
    let free: () => void = () => undefined;
    let isHeld = false;
    const account = store.account(uri('alice'));
    const durable = account.durable.bind(account);
    account.durable = async () => {
      await durable();
      if (isHeld) await new Promise<void>((resolve) => (free = resolve));
    };
    const alice = await user('alice', { policy: 'any', store });
    await user('bob');
    isHeld = true;
    const sending = alice.account.sendMessage({ to: uri('bob'), text: 'hello', way: 'message' });
    await settled();
    alice.account.setContactPolicy(uri('bob'), 'require-e2e');
    isHeld = false;
    free();
    await settled();
    expect(sentBy(world, 'alice').map(isSealed)).not.toContain(false);
    await world.pass(10_000);
    await sending;
    expect(sentBy(world, 'alice').map(isSealed)).not.toContain(false);
  });
});

describe('a connection that becomes weaker while a message waits for its turn', () => {
  test('carries nothing that was promised more', async () => {
    const alice = await user('alice', { policy: 'require-e2ae', store });
    await user('bob', { policy: 'any' });
    let free: () => void = () => undefined;
    const account = store.account(uri('alice'));
    const durable = account.durable.bind(account);
    account.durable = async () => {
      await durable();
      await new Promise<void>((resolve) => (free = resolve));
    };
    const sending = alice.account.sendMessage({ to: uri('bob'), text: 'hello', way: 'message' });
    await settled();
    alice.userAgent.flow = flows.clear;
    account.durable = durable;
    free();
    await settled();
    expect(sentBy(world, 'alice')).toEqual([]);
    alice.userAgent.flow = flows.protected;
    await alice.account.register();
    await settled();
    expect(sentBy(world, 'alice').length).toBeLessThanOrEqual(1);
    await sending;
  });
});

describe('a storage that fails', () => {
  test('under a message that has not left is told, and nobody waits for ever', async () => {
    const alice = await user('alice', { store, policy: 'any' });
    await user('bob');
    // While a registration is under way its outcome is waited for.
    await alice.account.unregister();
    const registering = alice.account.register();
    const outcome = alice.account.sendMessage({ to: uri('bob'), text: 'hello', way: 'message' });
    await Promise.resolve();
    // The storage took back what it had not made durable yet.
    const [waiting] = alice.account.outbox.list();
    const account = store.account(uri('alice'));
    account.outbox.remove(waiting?.message.id ?? '');
    account.messages.remove(waiting?.message.id ?? '');
    await registering;
    expect(await Promise.race([outcome, settled().then(() => 'nothing')])).toMatchObject({
      outcome: 'refused',
      refusal: { code: 'storage-failed' },
    });
  });

  test('and cannot even note that a message waits does not try it without a pause', async () => {
    const alice = await user('alice', { store });
    const bob = await user('bob');
    const account = store.account(uri('alice'));
    const put = account.outbox.put.bind(account.outbox);
    let writes = 0;
    account.outbox.put = (entry) => {
      writes += 1;
      if (writes > 1) throw new StoreError('full', 'there is no room');
      put(entry);
    };
    const sending = alice.account.sendMessage({
      to: uri('bob'),
      text: 'hello',
      way: 'message',
      policy: 'require-e2ae',
    });
    for (let turn = 0; turn < 20; turn++) await settle();
    expect(writes).toBeLessThan(8);
    expect(await Promise.race([sending, settled().then(() => 'nothing')])).toMatchObject({ outcome: 'waiting' });
    account.outbox.put = put;
    await world.pass(10_000);
    expect(bob.received).toMatchObject([{ text: 'hello' }]);
  });

  test('when a message is tried again leaves it where it was', async () => {
    const alice = await user('alice', { store });
    world.sip.answers = () => reply(603, 'Decline');
    await user('bob');
    await alice.account.sendMessage({ to: uri('bob'), text: 'dear to me', way: 'message', policy: 'require-e2ae' });
    const [failed] = own(alice);
    expect(failed).toMatchObject({ state: 'failed' });
    const account = store.account(uri('alice'));
    const put = account.outbox.put.bind(account.outbox);
    account.outbox.put = () => {
      throw new StoreError('full', 'there is no room');
    };
    await alice.account.outbox.retry(failed?.id ?? '').catch(() => undefined);
    account.outbox.put = put;
    expect(own(alice)).toMatchObject([{ text: 'dear to me', state: 'failed' }]);
    const durable = account.durable.bind(account);
    account.durable = () => Promise.reject(new StoreError('full', 'there is no room'));
    await alice.account.outbox.retry(failed?.id ?? '').catch(() => undefined);
    account.durable = durable;
    expect(own(alice)).toMatchObject([{ text: 'dear to me' }]);
  });
});

describe('a clock that is set back by a year', () => {
  test('does not keep a message for a year', async () => {
    let offset = 0;
    const now = world.clock.now.bind(world.clock);
    world.clock.now = () => now() - offset;
    const alice = await user('alice', { store, policy: 'require-e2ae' });
    await user('bob');
    world.sip.answers = () => reply(503, 'Service Unavailable', undefined, { 'Retry-After': '600' });
    const outcome: SendOutcome = await alice.account.sendMessage({ to: uri('bob'), text: 'hello', way: 'message' });
    expect(outcome.outcome).toBe('waiting');
    world.sip.answers = () => undefined;
    await alice.account.stop();
    offset = year;
    const again = await user('alice', { store, policy: 'require-e2ae' });
    await settled();
    expect(own(again)).toMatchObject([{ state: 'accepted' }]);
  });
});

describe('conversations that wait for their turn to send', () => {
  test('are not forgotten behind those that have nothing to send any more', async () => {
    const alice = await user('alice', { store, policy: 'any' });
    world.sip.fault = 'silent';
    const send = (name: string) =>
      alice.account.sendMessage({ to: uri(name), text: `to ${name}`, way: 'message', policy: 'any' });
    const busy = limits.outboxConversationsAtOnce;
    for (let count = 0; count < busy; count++) void send(`busy${count}`);
    await settled();
    for (let count = 0; count < 2 * busy; count++) void send(`gone${count}`);
    void send('bob');
    await settled();
    for (const { message } of alice.account.outbox.list()) {
      if (message.text.startsWith('to gone')) alice.account.outbox.cancel(message.id);
    }
    world.sip.fault = 'none';
    await user('bob');
    // The first sixteen end without an answer; each makes room for one.
    world.sip.answers = ({ to }) => (to === uri('bob') ? undefined : reply(603, 'Decline'));
    await world.pass(limits.sipMessageMilliseconds + 5_000);
    await settled();
    expect(own(alice)).toMatchObject([{ state: 'accepted' }]);
  });
});

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { groupId } from '../../../src/engine/groups/group.ts';
import { limits } from '../../../src/engine/limits.ts';
import { isSealed, sentBy } from '../support/wire.ts';
import { listService } from '../support/memory-list-service.ts';
import { settle, World, type User, type UserOptions } from '../support/world.ts';

const uri = (name: string): string => `sip:${name}@lab.test`;
const everybody = ['alice', 'bob', 'carol'].map(uri);
const group = groupId(everybody);

let world: World;
let users: User[];

beforeEach(() => {
  world = new World();
  world.sip.listService = listService;
  users = [];
});

afterEach(() => Promise.all(users.map(({ account }) => account.stop())));

async function user(name: string, options: UserOptions = {}): Promise<User> {
  const made = await world.user(name, { messages: { listService }, receipts: {}, ...options });
  users.push(made);
  return made;
}

async function three(options: UserOptions = {}) {
  return { alice: await user('alice', options), bob: await user('bob', options), carol: await user('carol', options) };
}

async function toGroup(from: User, policy?: 'require-e2e' | 'require-e2ae' | 'any', names = ['bob', 'carol']) {
  const outcome = await from.account.sendToGroup({
    recipients: names.map(uri),
    text: 'hello all',
    ...(policy === undefined ? {} : { policy }),
  });
  for (let turn = 0; turn < 4; turn++) await settle();
  return outcome;
}

const conversation = ({ account }: User, id = group) => account.conversations().find(({ peer }) => peer === id);

test('the id of a group is the same for each member, in whatever order', () => {
  expect(groupId([...everybody].reverse())).toBe(group);
  expect(groupId([...everybody, uri('bob')])).toBe(group);
  expect(groupId(everybody.slice(1))).not.toBe(group);
});

describe('a message to a group', () => {
  test.each(['require-e2e', 'require-e2ae'] as const)(
    'is one request, read by each and shown to each in the same conversation: %s',
    async (policy) => {
      const { alice, bob, carol } = await three();
      expect(await toGroup(alice, policy)).toMatchObject({ outcome: 'sent' });
      const level = policy === 'require-e2e' ? 'e2e' : 'e2ae';
      for (const member of [bob, carol]) {
        expect(conversation(member)).toMatchObject({
          members: everybody,
          messages: [{ from: uri('alice'), text: 'hello all', level, state: 'received' }],
        });
      }
      const requests = sentBy(world, 'alice');
      expect(requests).toHaveLength(1);
      expect(requests[0]).toMatchObject({ to: listService, headers: { Require: 'recipient-list-message' } });
      expect(new TextDecoder().decode(requests[0]?.body)).toContain('Content-Disposition: recipient-list\r\n');
      if (policy === 'require-e2e') expect(new TextDecoder().decode(requests[0]?.body)).not.toContain('hello all');
    },
  );

  test('has a state for each recipient, moved by each one’s receipts', async () => {
    const { alice, bob } = await three();
    await toGroup(alice, 'require-e2e');
    expect(sentBy(world, 'bob').every(isSealed)).toBe(true);
    const states = () =>
      conversation(alice)?.messages[0]?.recipients?.map(({ address, state }) => `${address} ${state}`);
    expect(states()).toEqual([`${uri('bob')} delivered`, `${uri('carol')} delivered`]);
    expect(conversation(alice)?.messages).toMatchObject([{ state: 'delivered' }]);
    bob.account.markDisplayed(group, conversation(bob)?.messages[0]?.id ?? '');
    for (let turn = 0; turn < 4; turn++) await settle();
    expect(states()).toEqual([`${uri('bob')} displayed`, `${uri('carol')} delivered`]);
    expect(conversation(alice)?.messages).toMatchObject([{ state: 'delivered' }]);
  });

  test('is answered in the group', async () => {
    const { alice, bob, carol } = await three();
    await toGroup(alice, 'require-e2e');
    await toGroup(bob, 'require-e2e', ['alice', 'carol']);
    for (const member of [alice, bob, carol]) {
      expect(conversation(member)?.messages.map(({ from }) => from)).toEqual([uri('alice'), uri('bob')]);
    }
  });

  test('goes to its conversation like to any other, also when it is taken up again after a failure', async () => {
    const { alice, bob, carol } = await three();
    await toGroup(bob, 'require-e2e', ['alice', 'carol']);
    world.kms.forbidden.add(uri('alice'));
    const failed = await alice.account.sendMessage({ to: group, text: 'again', way: 'message', policy: 'require-e2e' });
    expect(failed).toMatchObject({ outcome: 'refused', message: { conversation: group } });
    world.kms.forbidden.clear();
    const { id = '' } = (failed.outcome === 'refused' ? failed.message : undefined) ?? {};
    await alice.account.outbox.retry(id);
    for (let turn = 0; turn < 4; turn++) await settle();
    for (const member of [bob, carol]) expect(conversation(member)?.messages.at(-1)).toMatchObject({ text: 'again' });
    expect(conversation(alice)?.messages.at(-1)).toMatchObject({ id, state: 'delivered' });
  });

  test('follows the strictest policy of its members', async () => {
    const { alice, bob } = await three({ policy: 'any' });
    alice.account.setContactPolicy(uri('carol'), 'require-e2e');
    await toGroup(alice);
    expect(conversation(bob)?.messages).toMatchObject([{ level: 'e2e' }]);
  });

  test('is not sent to some when the key server gives no key for all', async () => {
    const { alice, bob } = await three();
    world.kms.forbidden.add(uri('alice'));
    const outcome = await toGroup(alice, 'require-e2e');
    expect(outcome).toMatchObject({ outcome: 'refused', refusal: { code: 'kms-refused' } });
    expect(conversation(alice)?.messages[0]?.recipients?.map(({ state }) => state)).toEqual(['refused', 'refused']);
    expect(bob.received).toEqual([]);
  });

  test('is read by nobody whom the ticket does not name', async () => {
    const { alice } = await three();
    const mallory = await user('mallory');
    await toGroup(alice, 'require-e2e');
    const [request] = sentBy(world, 'alice');
    expect(await mallory.userAgent.receiveMessage(uri('alice'), request!)).toMatchObject({ status: 493 });
    expect(mallory.received).toEqual([]);
  });

  test.each<[string, UserOptions, string | undefined, string]>([
    ['the account knows no list service', { messages: {} }, listService, 'is not known to have a list service'],
    ['the network serves no lists', {}, undefined, 'serves no lists'],
  ])('is refused in words when %s', async (_case, options, service, words) => {
    world.sip.listService = service;
    const { alice } = await three(options);
    const outcome = await toGroup(alice, 'require-e2e');
    expect(outcome).toMatchObject({ outcome: 'refused', refusal: { code: 'peer-incompatible' } });
    expect(outcome.outcome === 'refused' && outcome.refusal.explanation).toContain(words);
  });

  test('has two recipients at least and a bounded number at most', async () => {
    const { alice } = await three();
    const many = Array.from({ length: limits.groupMembers }, (_, at) => `user${at}`);
    for (const names of [['bob'], ['bob', 'bob', 'alice'], many]) {
      expect(await toGroup(alice, 'require-e2e', names)).toMatchObject({
        outcome: 'refused',
        refusal: { code: 'invalid-address' },
      });
    }
    expect(sentBy(world, 'alice')).toEqual([]);
  });

  test('that a member could not read is sent again to that member alone, and shown in the group', async () => {
    const { alice, bob, carol } = await three({
      contactPolicies: Object.fromEntries(everybody.map((one) => [one, 'require-e2e' as const])),
    });
    world.kms.forbidden.add(uri('bob'));
    await toGroup(alice, 'require-e2e');
    world.kms.forbidden.clear();
    const unread = bob.account.conversations().flatMap(({ messages }) => messages)[0];
    expect(unread).toMatchObject({ state: 'undecryptable' });
    expect(bob.account.askResend(unread?.id ?? '')).toBe('asked');
    for (let turn = 0; turn < 6; turn++) await settle();
    expect(conversation(bob)?.messages).toMatchObject([{ text: 'hello all', level: 'e2e' }]);
    expect(bob.account.conversations().flatMap(({ messages }) => messages)).toHaveLength(1);
    expect(conversation(carol)?.messages).toHaveLength(1);
  });
});

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { receiptsIn, sentBy } from '../support/wire.ts';
import { writeTextContent, wantsNothing } from '../../../src/engine/message-content.ts';
import { settle, World, type User, type UserOptions } from '../support/world.ts';

const aliceUri = 'sip:alice@lab.test';
const bobUri = 'sip:bob@lab.test';

let world: World;
let users: User[];

beforeEach(() => {
  world = new World();
  world.sip.copySentMessages = true;
  users = [];
});

afterEach(() => Promise.all(users.map(({ account }) => account.stop())));

async function user(name: string, options: UserOptions = {}): Promise<User> {
  const made = await world.user(name, { receipts: {}, isAnotherDevice: true, ...options });
  users.push(made);
  return made;
}

async function send(from: User, policy: 'require-e2e' | 'require-e2ae', to = bobUri) {
  await from.account.sendMessage({ to, text: 'hello', way: 'message', policy });
  for (let turn = 0; turn < 4; turn++) await settle();
}

const shown = ({ account }: User) => account.conversations().flatMap(({ messages }) => messages);

describe('several devices of the recipient', () => {
  test.each(['require-e2e', 'require-e2ae'] as const)(
    'all show a message, under one Message-ID: %s',
    async (policy) => {
      world.sip.copySentMessages = false;
      const [alice, desk, phone] = [await user('alice'), await user('bob'), await user('bob')];
      await send(alice, policy);
      const [sent] = shown(alice);
      for (const device of [desk, phone]) {
        expect(shown(device)).toMatchObject([{ text: 'hello', state: 'received', messageId: sent?.id }]);
      }
      expect(sent?.state).toBe('delivered');
    },
  );
});

describe('what another device of ours has sent', () => {
  const synced: UserOptions = { messages: { syncSent: true } };

  test.each(['require-e2e', 'require-e2ae'] as const)(
    'is shown as ours, in the conversation with its recipient: %s',
    async (policy) => {
      const [desk, phone, bob] = [await user('alice', synced), await user('alice', synced), await user('bob')];
      await send(desk, policy);
      expect(shown(phone)).toMatchObject([
        {
          conversation: bobUri,
          direction: 'out',
          from: aliceUri,
          to: bobUri,
          text: 'hello',
          fromOtherDevice: true,
          level: policy === 'require-e2e' ? 'e2e' : 'e2ae',
          state: 'delivered',
          messageId: shown(desk)[0]?.id,
        },
      ]);
      expect(phone.received).toEqual([]);
      // Receipts are the recipient's matter alone.
      expect(sentBy(world, 'alice')).toHaveLength(1);
      expect(shown(bob)).toHaveLength(1);
    },
  );

  test('cannot be read end to end unless the account wants it: its ticket names the recipient alone', async () => {
    const [desk, phone, bob] = [await user('alice'), await user('alice'), await user('bob')];
    await send(desk, 'require-e2e');
    expect(shown(phone)).toEqual([]);
    expect(shown(bob)).toMatchObject([{ text: 'hello' }]);
  });

  test('comes once, though the network copies it to the device that has sent it', async () => {
    const desk = await user('alice', synced);
    await user('bob');
    await send(desk, 'require-e2ae');
    const [message] = sentBy(world, 'alice');
    await desk.userAgent.receiveMessage(aliceUri, message!, bobUri);
    await settle();
    expect(shown(desk)).toMatchObject([{ direction: 'out', text: 'hello' }]);
  });

  test('is not believed without the network’s word: it is shown as a message in our name, unverified', async () => {
    const alice = await user('alice');
    world.sip.assertedIdentity = () => undefined;
    const envelope = { from: aliceUri, to: [bobUri], at: 0, messageId: 'm1' };
    const forged = { to: aliceUri, ...writeTextContent(envelope, 'pay mallory', wantsNothing) };
    await alice.userAgent.receiveMessage(aliceUri, forged, bobUri);
    await settle();
    expect(shown(alice)).toMatchObject([{ direction: 'in', from: aliceUri, text: 'pay mallory' }]);
    expect(shown(alice)[0]?.conversation).not.toBe(bobUri);
  });

  test('a display told by one device is not told again by another', async () => {
    const [alice, desk, phone] = [await user('alice'), await user('bob', synced), await user('bob', synced)];
    await send(alice, 'require-e2ae');
    for (const device of [desk, phone]) {
      device.account.markDisplayed(aliceUri, shown(device)[0]?.id ?? '');
      await settle();
    }
    expect(receiptsIn(sentBy(world, 'bob')).filter((receipt) => receipt === 'display displayed')).toHaveLength(1);
  });
});

import { afterEach, beforeEach, expect, test } from 'vitest';
import { secureRandom } from '../../../src/crypto/random.ts';
import { encodeCpim } from '../../../src/protocol/cpim/index.ts';
import { encodeImdn } from '../../../src/protocol/imdn/index.ts';
import { encodeMultipart } from '../../../src/protocol/mime/index.ts';
import { isSealed, sentBy } from '../support/wire.ts';
import { settle, World, type User } from '../support/world.ts';

const aliceUri = 'sip:alice@lab.test';
const bobUri = 'sip:bob@lab.test';

let world: World;
let alice: User;
let bob: User;

beforeEach(async () => {
  world = new World();
  alice = await world.user('alice', { receipts: {} });
  bob = await world.user('bob', { receipts: {} });
});

afterEach(() => Promise.all([alice, bob].map(({ account }) => account.stop())));

async function send(policy: 'require-e2e' | 'require-e2ae', text: string): Promise<string> {
  const outcome = await alice.account.sendMessage({ to: bobUri, text, way: 'message', policy });
  for (let turn = 0; turn < 3; turn++) await settle();
  if (outcome.outcome !== 'sent') throw new Error(outcome.outcome);
  return outcome.message.id;
}

const stateOf = (id: string): string | undefined => alice.account.history.get(id)?.state;

test('receipts that a server put together are each heard (RFC 5438 8.3)', async () => {
  const ids = [await send('require-e2ae', 'one'), await send('require-e2ae', 'two')];
  const { contentType, body } = encodeMultipart({
    subtype: 'mixed',
    parts: ids.map((messageId) => ({
      headers: [{ name: 'Content-Type', value: 'message/imdn+xml' }],
      body: encodeImdn({ kind: 'display', status: 'displayed', messageId, dateTime: 0 }),
    })),
    random: secureRandom,
  });
  const together = encodeCpim({
    from: { uri: bobUri },
    to: [{ uri: aliceUri }],
    messageId: 'imdn-1',
    dispositions: [],
    otherHeaders: [],
    content: {
      headers: [
        { name: 'Content-Type', value: contentType },
        { name: 'Content-Disposition', value: 'notification' },
      ],
      body,
    },
  });
  await alice.userAgent.receiveMessage(bobUri, { to: aliceUri, contentType: 'message/cpim', body: together });
  await settle();
  expect(ids.map(stateOf)).toEqual(['displayed', 'displayed']);
});

test.each(['processed', 'stored'] as const)(
  'what a server on the way did to a message (%s) says nothing of its end',
  async (status) => {
    const id = await send('require-e2ae', 'one');
    const payload = encodeImdn({ kind: 'processing', status, messageId: id, dateTime: 0 });
    const body = encodeCpim({
      from: { uri: bobUri },
      to: [{ uri: aliceUri }],
      messageId: 'imdn-2',
      dispositions: [],
      otherHeaders: [],
      content: { headers: [{ name: 'Content-Type', value: 'message/imdn+xml' }], body: payload },
    });
    await alice.userAgent.receiveMessage(bobUri, { to: aliceUri, contentType: 'message/cpim', body });
    await settle();
    expect(stateOf(id)).toBe('delivered');
  },
);

test('a text that its answer refuses gets no notification besides (RFC 5438 12.1.3.1)', async () => {
  bob.account.setContactPolicy(aliceUri, 'require-e2e');
  const open = await alice.account.sendMessage({ to: bobUri, text: 'open', way: 'message', policy: 'require-e2ae' });
  await settle();
  expect(open).toMatchObject({ outcome: 'refused' });
  expect(sentBy(world, 'bob')).toEqual([]);
  expect(stateOf(await send('require-e2e', 'sealed'))).toBe('delivered');
  expect(sentBy(world, 'bob').map(isSealed)).toEqual([true]);
});

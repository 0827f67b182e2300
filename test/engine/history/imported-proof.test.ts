import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ChatMessage } from '../../../src/engine/chat-message.ts';
import { writeReceiptContent } from '../../../src/engine/message-content.ts';
import { createMemoryStore, type Store } from '../../../src/engine/store/index.ts';
import { foreignMessage } from '../support/foreign-message.ts';
import { settle, World, type User } from '../support/world.ts';

const aliceUri = 'sip:alice@lab.test';
const bobUri = 'sip:bob@lab.test';

let world: World;
let store: Store;
let alice: User;

beforeEach(async () => {
  world = new World();
  store = createMemoryStore({ reason: 'test' });
  alice = await world.user('alice', { store });
});

afterEach(() => alice.account.stop());

/** A message as an export brought it, whoever wrote that. */
function imported(over: Partial<ChatMessage>): void {
  store.account(aliceUri).messages.add({
    id: 'old',
    conversation: bobUri,
    direction: 'in',
    from: bobUri,
    to: aliceUri,
    text: '',
    at: 1_000,
    way: 'message',
    level: 'none',
    state: 'received',
    messageId: 'm1',
    imported: { at: 2_000, level: 'e2e' },
    ...over,
  });
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 6; turn++) await settle();
}

const shown = () => alice.account.history.page(bobUri).messages;

test.each(['delivered', 'error'] as const)('a receipt moves nothing that came out of an export: %s', async (status) => {
  imported({ direction: 'out', from: aliceUri, to: bobUri, text: 'hello', state: 'accepted' });
  const envelope = { from: bobUri, to: [aliceUri], at: 0, messageId: 'r1' };
  const kind = status === 'error' ? 'display' : 'delivery';
  const receipt = writeReceiptContent(envelope, { kind, status, messageId: 'm1', dateTime: 0 }, []);
  await alice.userAgent.receiveMessage(bobUri, { to: aliceUri, ...receipt });
  await settled();
  expect(shown()).toMatchObject([{ state: 'accepted' }]);
  expect(world.sip.messages).toEqual([]);
});

test.each<[string, Partial<ChatMessage>]>([
  ['could not be read', { state: 'undecryptable' }],
  ['says the same', { text: 'hello' }],
])('a message that comes in proves nothing of one out of an export that %s, and is news', async (_case, old) => {
  imported(old);
  const before = shown()[0];
  world.kms.pskOf(bobUri);
  const message = await foreignMessage(world, { holder: bobUri, name: bobUri, to: aliceUri, text: 'hello' });
  await alice.userAgent.receiveMessage(bobUri, message);
  await settled();
  expect(shown()).toEqual([before, expect.objectContaining({ text: 'hello', level: 'e2e' })]);
  expect(alice.received).toMatchObject([{ text: 'hello' }]);
});

test('what is noted of a message for its sender goes with it', async () => {
  const notes = store.account(aliceUri).notes;
  for (const id of ['one', 'two']) {
    imported({ id, messageId: id });
    notes.set('receipt-display', id, { subject: 'a secret' });
    notes.set('resend-asked', id, 1);
    notes.set('resent', `${id} ${bobUri}`, 1);
  }
  alice.account.history.remove('one');
  const left = () =>
    ['receipt-display', 'resend-asked', 'resent'].flatMap((kind) => notes.list(kind)).map(({ key }) => key);
  expect(left()).toEqual(['two', 'two', `two ${bobUri}`]);
  alice.account.history.removeConversation(bobUri);
  expect(left()).toEqual([]);
  await Promise.resolve();
});

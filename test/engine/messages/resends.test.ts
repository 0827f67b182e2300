import { expect, test } from 'vitest';
import { silentLogger } from '../../../src/base/log.ts';
import type { ChatMessage } from '../../../src/engine/chat-message.ts';
import { limits } from '../../../src/engine/limits.ts';
import { Resends } from '../../../src/engine/messages/resends.ts';
import { createMemoryStore } from '../../../src/engine/store/index.ts';

const bob = 'sip:bob@lab.test';
const sealed = {
  id: 'm1',
  conversation: bob,
  direction: 'out',
  from: 'sip:alice@lab.test',
  to: bob,
  text: 'hello',
  at: 0,
  way: 'message',
  level: 'e2e',
  state: 'accepted',
  evidence: { kind: 'message-psk-mime' },
} as ChatMessage;

function resends(send: () => Promise<void> = () => Promise.resolve()) {
  const sent: string[] = [];
  const givenUp: string[] = [];
  const notes = createMemoryStore({ reason: 'test' }).account('a').notes;
  const made = () =>
    new Resends({
      log: silentLogger,
      notes,
      isAllowed: (peer) => peer === bob,
      send: (message, peer) => {
        sent.push(`${message.id} ${peer}`);
        return send();
      },
      onGivenUp: (message, peer) => givenUp.push(`${message.id} ${peer}`),
      tell: () => undefined,
    });
  return { made, sent, givenUp };
}

test('a message is sent again a few times to one recipient, also over restarts, and then given up', async () => {
  const { made, sent, givenUp } = resends();
  for (let count = 0; count < limits.resends + 2; count++) await made().answer(sealed, bob);
  expect(sent).toHaveLength(limits.resends);
  expect(givenUp).toHaveLength(2);
});

test('two requests at the same time are one', async () => {
  let free: () => void = () => undefined;
  const { made, sent } = resends(() => new Promise((resolve) => (free = resolve)));
  const one = made();
  const first = one.answer(sealed, bob);
  await one.answer(sealed, bob);
  free();
  await first;
  expect(sent).toHaveLength(1);
});

test.each<[string, ChatMessage, string]>([
  ['to somebody who is not trusted so far', sealed, 'sip:mallory@lab.test'],
  [
    'that was not sealed',
    { ...sealed, evidence: { kind: 'message-signalling' } as ChatMessage['evidence'] & object },
    bob,
  ],
  ['that another device of ours sent', { ...sealed, fromOtherDevice: true }, bob],
  ['whose text is not here any more', { ...sealed, text: '' }, bob],
])('nothing goes again %s', async (_case, message, peer) => {
  const { made, sent, givenUp } = resends();
  await made().answer(message, peer);
  expect([sent, givenUp]).toEqual([[], [`m1 ${peer}`]]);
});

test('what did not go is told as given up', async () => {
  const { made, givenUp } = resends(() => Promise.reject(new Error('no key')));
  await made().answer(sealed, bob);
  expect(givenUp).toEqual([`m1 ${bob}`]);
});

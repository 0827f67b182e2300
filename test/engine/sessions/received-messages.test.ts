import { expect, test } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { limits } from '../../../src/engine/limits.ts';
import { ReceivedMessages } from '../../../src/engine/sessions/received-messages.ts';

test('a message that comes again is shown once; another with its Message-ID is shown too', () => {
  const received = new ReceivedMessages();
  const message = { messageId: 'abcd', contentType: 'text/plain', bytes: utf8('hello') };
  expect(received.isCopy('sip:a@lab.test', message)).toBe(false);
  expect(received.isCopy('sip:a@lab.test', message)).toBe(true);
  expect(received.isCopy('sip:b@lab.test', message)).toBe(false);
  expect(received.isCopy('sip:a@lab.test', { ...message, bytes: utf8('hello!') })).toBe(false);
  expect(received.isCopy('sip:a@lab.test', { ...message, messageId: 'abce' })).toBe(false);
});

test('what is remembered is bounded, and the oldest is forgotten first', () => {
  const received = new ReceivedMessages();
  const message = (count: number) => ({ messageId: `id${count}`, contentType: 'text/plain', bytes: utf8('x') });
  for (let count = 0; count <= limits.rememberedMessages; count++) received.isCopy('sip:a@lab.test', message(count));
  expect(received.isCopy('sip:a@lab.test', message(limits.rememberedMessages))).toBe(true);
  expect(received.isCopy('sip:a@lab.test', message(0))).toBe(false);
  for (let count = 0; count < limits.rememberedContacts; count++) received.isCopy(`sip:${count}@lab.test`, message(1));
  expect(received.isCopy('sip:a@lab.test', message(limits.rememberedMessages))).toBe(false);
});

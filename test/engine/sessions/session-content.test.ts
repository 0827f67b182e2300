import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { chatPurpose } from '../../../src/engine/sessions/chat-purpose.ts';
import {
  readSessionContent,
  writeComposing,
  writeReceipt,
  writeText,
} from '../../../src/engine/sessions/session-content.ts';
import { silentLogger } from '../../../src/base/log.ts';
import type { EnginePorts } from '../../../src/engine/ports.ts';

const envelope = { from: 'sip:alice@lab.test', to: 'sip:bob@lab.test', at: 1_767_225_600_000, messageId: 'id-1' };
const lines = (...all: string[]): Uint8Array => utf8(all.join('\r\n'));
const cpim = (headers: string[], ...content: string[]): Uint8Array =>
  lines('From: <sip:alice@lab.test>', 'To: <sip:bob@lab.test>', ...headers, '', ...content);
const plain = ['Content-Type: text/plain', '', 'hello'];

describe('the content of a chat session', () => {
  it('is written as it is read', () => {
    const text = writeText({ ...envelope, text: 'hällo' });
    expect(readSessionContent(text.contentType, text.body)).toEqual({
      kind: 'text',
      text: 'hällo',
      from: envelope.from,
      messageId: 'id-1',
      sentAt: envelope.at,
      wants: { delivery: true, display: true },
    });
    const told = { kind: 'display', status: 'displayed', messageId: 'id-0', dateTime: envelope.at } as const;
    const receipt = writeReceipt(envelope, told);
    expect(readSessionContent(receipt.contentType, receipt.body)).toEqual({
      kind: 'receipt',
      receipt: told,
      from: envelope.from,
    });
    for (const wrapped of [envelope, undefined]) {
      const status = writeComposing(wrapped, { state: 'active', refresh: 60 });
      expect(readSessionContent(status.contentType, status.body)).toMatchObject({
        kind: 'composing',
        status: { state: 'active', refresh: 60 },
      });
    }
  });

  it('keeps the date and the subject of an envelope, and passes other headers over', () => {
    const body = cpim(
      [
        'cc: <sip:carol@lab.test>',
        'DateTime: 2026-01-01T00:00:00Z',
        'Subject: lunch',
        'Subject:;lang=fr déjeuner',
        'NS: x <urn:x>',
        'x.Colour: blue',
        'x.Colour: red',
      ],
      ...plain,
    );
    expect(readSessionContent('Message/CPIM', body)).toEqual({
      kind: 'text',
      text: 'hello',
      from: envelope.from,
      subject: 'lunch',
      sentAt: envelope.at,
      wants: { delivery: false, display: false },
    });
  });

  it.each<[string, string, { delivery: boolean; display: boolean }]>([
    ['both', 'positive-delivery, display', { delivery: true, display: true }],
    ['one, in other letters', 'Display', { delivery: false, display: true }],
    ['what is not done here', 'negative-delivery, processing', { delivery: false, display: false }],
  ])('hears which notices are wanted: %s', (_, wanted, wants) => {
    const headers = [
      'NS: imdn <urn:ietf:params:imdn>',
      'imdn.Message-ID: id-1',
      `imdn.Disposition-Notification: ${wanted}`,
    ];
    expect(readSessionContent('message/cpim', cpim(headers, ...plain))).toMatchObject({ messageId: 'id-1', wants });
  });

  const multipart = (subtype: string, ...parts: string[][]): [string, Uint8Array] => [
    `multipart/${subtype};boundary=cut`,
    lines(...parts.flatMap((part) => ['--cut', ...part]), '--cut--', ''),
  ];
  const html = ['Content-Type: text/html', '', '<b>hello</b>'];

  it.each<[string, [string, Uint8Array], string]>([
    ['the text among alternatives', multipart('alternative', plain, html), 'hello'],
    ['the last text among alternatives', multipart('alternative', ['', 'first'], ['', 'second']), 'second'],
    ['what is signed', multipart('signed', plain, ['Content-Type: application/pkcs7-signature', '', 'x']), 'hello'],
    ['all of a mixture of texts', multipart('mixed', plain, ['', 'world']), 'hello\n\nworld'],
    [
      'a multipart in an envelope',
      ['message/cpim', cpim([], `Content-Type: multipart/mixed;boundary=cut`, '', '--cut', ...plain, '--cut--', '')],
      'hello',
    ],
  ])('shows %s (RFC 4975 7.3.1)', (_, [type, body], text) => {
    expect(readSessionContent(type, body)).toMatchObject({ kind: 'text', text });
  });

  it.each<[string, string, Uint8Array, number]>([
    ['a picture', 'image/png', utf8('x'), 415],
    ['a mixture with a picture', ...multipart('mixed', plain, ['Content-Type: image/png', '', 'x']), 415],
    ['alternatives without text', ...multipart('alternative', html), 415],
    ['another multipart', ...multipart('related', plain), 415],
    ['a notification without its envelope', 'message/imdn+xml', utf8('<imdn/>'), 415],
    ['an envelope that requires what we do not know', 'message/cpim', cpim(['Require: Secret'], ...plain), 415],
    ['an envelope with two senders', 'message/cpim', cpim(['From: <sip:mallory@lab.test>'], ...plain), 400],
    ['an envelope without content type', 'message/cpim', cpim([], '', 'hello'), 400],
    ['a broken notification', 'message/cpim', cpim([], 'Content-Type: message/imdn+xml', '', '<imdn'), 400],
    ['a broken status', 'application/im-iscomposing+xml', utf8('<isComposing'), 400],
    ['no text', 'text/plain', Uint8Array.of(0xff), 400],
    ['another charset', 'text/plain;charset=utf-16', utf8('hello'), 415],
  ])('refuses %s', (_, contentType, bytes, status) => {
    const { channel } = chatPurpose({ log: silentLogger } as unknown as EnginePorts);
    expect(channel.judge?.({ messageId: 'id-1', contentType, bytes, fromPath: [], other: [] })).toBe(status);
  });

  it('takes a notification of an unknown kind without a word', () => {
    const other = [
      '<imdn xmlns="urn:ietf:params:xml:ns:imdn"><message-id>id-1</message-id><datetime>2026-01-01T00:00:00Z</datetime>',
      '<weather-notification><status><sunny/></status></weather-notification></imdn>',
    ];
    expect(
      readSessionContent('message/cpim', cpim([], 'Content-Type: message/imdn+xml', '', other.join(''))),
    ).toMatchObject({ kind: 'nothing' });
  });
});

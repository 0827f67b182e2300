import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concatBytes, utf8 } from '../../../src/base/bytes.ts';
import { serialiseSipMessage, SipMessage } from '../../../src/protocol/sip/message.ts';
import { type SipFrame, SipStreamFramer } from '../../../src/protocol/sip/stream-framer.ts';

function message(body: string): Uint8Array {
  const request = SipMessage.request('MESSAGE', 'sip:b@lab.test');
  request.headers.add('Flow-Timer', '3');
  request.body = utf8(body);
  return serialiseSipMessage(request);
}

const ping = utf8('\r\n\r\n');
const pong = utf8('\r\n');

function kinds(frames: readonly SipFrame[]): string[] {
  return frames.map((frame) => frame.kind);
}

describe('SIP stream framer', () => {
  test('a server hears pings, a client pongs', () => {
    const stream = concatBytes(ping, message('héllo ✓\r\n\r\n'), ping, message(''));
    expect(kinds(new SipStreamFramer({ side: 'server' }).push(stream))).toEqual(['ping', 'message', 'ping', 'message']);
    expect(kinds(new SipStreamFramer().push(concatBytes(pong, message('x'), pong)))).toEqual([
      'pong',
      'message',
      'pong',
    ]);
  });

  test('a lone line end before a request is skipped by a server', () => {
    const framer = new SipStreamFramer({ side: 'server' });
    expect(kinds(framer.push(concatBytes(pong, message('a'), pong, pong)))).toEqual(['message', 'ping']);
  });

  test('frames do not depend on how the bytes arrive', () => {
    const part = fc.oneof(fc.string({ unit: 'grapheme' }).map(message), fc.constant(ping));
    const cuts = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 });
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), cuts, fc.constantFrom('client', 'server'), (parts, sizes, side) => {
        const stream = concatBytes(...parts);
        const whole = new SipStreamFramer({ side }).push(stream);
        const framer = new SipStreamFramer({ side });
        const pieces: SipFrame[] = [];
        for (let at = 0, turn = 0; at < stream.length; turn++) {
          const size = sizes[turn % sizes.length] ?? 1;
          pieces.push(...framer.push(stream.subarray(at, at + size)));
          at += size;
        }
        expect(pieces).toEqual(whole);
        const messages = parts.filter((bytes) => bytes !== ping);
        expect(whole.filter((frame) => frame.kind === 'message').map((frame) => frame.bytes)).toEqual(messages);
      }),
    );
  });

  test.each([0, 40, 47, 48, 49, 50, 60, 200])('a length behind %i spaces is read whole', (spaces) => {
    const head = `MESSAGE sip:b@lab.test SIP/2.0\r\nContent-Length:${' '.repeat(spaces)}120\r\n\r\n`;
    const stream = concatBytes(utf8(head), utf8('x'.repeat(120)), message('a'));
    const frames = new SipStreamFramer().push(stream);
    expect(kinds(frames)).toEqual(['message', 'message']);
    expect(frames[1]).toEqual({ kind: 'message', bytes: message('a') });
  });

  // A proxy that takes a lone CR, LF or NUL for the end of a line sees another length than we do, and what it takes for the end of a
  // body would be a message of the sender's choice to us.
  test.each([
    ['LF', 'X: a\nContent-Length: 2'],
    ['CR', 'X: a\rContent-Length: 2'],
    ['NUL', 'X: a\0Content-Length: 2'],
    ['LF and the compact form', 'X: a\nl : 2'],
    ['LF behind another header', 'X: a\r\nVia: SIP/2.0/TLS h\nl: 2'],
    ['LF that ends the headers for others', 'X: a\n'],
    ['CR that ends the headers for others', 'X: a\r'],
    ['LF before a folded line', 'X: a\n\r\n b'],
    ['LF in a name', 'X\nl: 2'],
  ])('a line that others read as two breaks the stream: %s', (_, line) => {
    const head = `MESSAGE sip:b@lab.test SIP/2.0\r\n${line}\r\nContent-Length: 1\r\n\r\n`;
    expect(kinds(new SipStreamFramer().push(utf8(`${head}xx`)))).toEqual(['error']);
  });

  test('messages before an error still come; after it nothing does', () => {
    const framer = new SipStreamFramer({ side: 'server' });
    const frames = framer.push(concatBytes(message('a'), utf8('MESSAGE sip:b SIP/2.0\r\nTo: x\r\n\r\n')));
    expect(kinds(frames)).toEqual(['message', 'error']);
    const last = frames[1];
    expect(last?.kind === 'error' && last.error.hint.sip).toBe(400);
    expect(last?.kind === 'error' && last.head?.length).toBe(32);
    expect(framer.push(message('b'))).toEqual([]);
  });

  test.each([
    ['two different lengths', 'A b:c SIP/2.0\r\nl: 1\r\nContent-Length: 2\r\n\r\n', 400],
    ['a length that is no number', 'A b:c SIP/2.0\r\nl: 0x1\r\n\r\n', 400],
    ['a body beyond the limit', 'A b:c SIP/2.0\r\nl: 1048577\r\n\r\n', 413],
    ['headers beyond the limit', 'a'.repeat(65_537), 413],
  ])('refuses %s', (_, text, sip) => {
    const [frame] = new SipStreamFramer().push(utf8(text));
    expect(frame?.kind === 'error' && frame.error.hint.sip).toBe(sip);
  });

  test('any bytes give frames, never an exception', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 })), (chunks) => {
        const framer = new SipStreamFramer();
        for (const chunk of chunks) framer.push(chunk);
      }),
    );
  });
});

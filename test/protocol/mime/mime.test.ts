import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes, fromUtf8, utf8 } from '../../../src/base/bytes.ts';
import { ProtocolError } from '../../../src/base/errors.ts';
import { secureRandom } from '../../../src/crypto/random.ts';
import {
  decodeMimeEntity,
  decodeMultipart,
  encodeMultipart,
  formatMediaType,
  headerValue,
  mimeEntityLimits,
  multipartLimits,
  parseMediaType,
} from '../../../src/protocol/mime/index.ts';

const mixed = parseMediaType('multipart/mixed;boundary=b1');

function texts(body: string): string[] {
  return decodeMultipart(mixed, utf8(body)).map((part) => fromUtf8(part.body));
}

describe('media type', () => {
  it('reads type and parameters whatever their case, quoting and spacing', () => {
    const read = parseMediaType('Multipart/Mixed ; Boundary="a \\"b\\" c" ;x=y;');
    expect(read.type).toBe('multipart/mixed');
    expect([...read.parameters]).toEqual([
      ['boundary', 'a "b" c'],
      ['x', 'y'],
    ]);
  });

  it('reads back what it writes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (value) => {
        fc.pre(!/\p{Cc}/u.test(value));
        expect(parseMediaType(formatMediaType('text/plain', { name: value })).parameters.get('name')).toBe(value);
      }),
    );
  });

  it.each([
    '',
    'text',
    'text/',
    'text/plain;charset',
    'text/plain;a=1;A=2',
    'text/plain x',
    `text/${'x'.repeat(3000)}`,
  ])('refuses %j', (text) => {
    expect(() => parseMediaType(text)).toThrow(expect.objectContaining({ name: 'ProtocolError', hint: { sip: 400 } }));
  });

  it('does not write a value that would start a new header line', () => {
    expect(() => formatMediaType('text/plain', { name: 'a\r\nX: y' })).toThrow(ProtocolError);
  });
});

describe('multipart', () => {
  it('gives back headers and binary bodies octet by octet, in either transfer encoding', () => {
    const part = fc.record({
      encoding: fc.constantFrom('binary', 'base64'),
      body: fc.oneof(
        fc.uint8Array({ maxLength: 300 }),
        fc.constantFrom('\r\n', '\r', '--', '\r\n--b1\r\n', '').map(utf8),
      ),
    });
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), (parts) => {
        const entities = parts.map(({ encoding, body }) => ({
          headers: [
            { name: 'Content-Type', value: 'application/x' },
            { name: 'Content-Transfer-Encoding', value: encoding },
          ],
          body,
        }));
        const { contentType, body } = encodeMultipart({ subtype: 'mixed', parts: entities, random: secureRandom });
        expect(decodeMultipart(parseMediaType(contentType), body)).toEqual(entities);
      }),
    );
  });

  it('reads preamble, epilogue, padding, folded headers and LF line ends', () => {
    expect(texts('hello\r\n--b1 \t\r\nA: b\r\n c\r\n\r\none\r\n--b1\r\n\r\ntwo\r\n--b1--\r\nbye')).toEqual([
      'one',
      'two',
    ]);
    expect(texts('--b1\nA: b\n\none\r\n--b1--')).toEqual(['one\r']);
    const [part] = decodeMultipart(mixed, utf8('--b1\r\nA: b\r\n c\r\n\r\none\r\n--b1--'));
    expect(headerValue(part!.headers, 'a')).toBe('b c');
  });

  it('takes a longer boundary or one inside a line for content', () => {
    expect(texts('--b1\r\n\r\n--b10\r\nx--b1\r\n--b1--')).toEqual(['--b10\r\nx--b1']);
  });

  it('keeps LF delimiters inside a CRLF body as content', () => {
    expect(texts('--b1\r\n\r\none\n--b1--\r\n--b1--')).toEqual(['one\n--b1--']);
  });

  it('reads an empty part', () => {
    expect(texts('--b1\r\n\r\n--b1\r\n\r\n\r\n--b1--')).toEqual(['', '']);
    expect(texts('--b1\r\n--b1--')).toEqual(['']);
  });

  it.each([
    ['no boundary parameter', 'multipart/mixed', ''],
    ['a boundary that ends with a space', 'multipart/mixed;boundary="b "', ''],
    ['no delimiter', 'multipart/mixed;boundary=b1', 'hello'],
    ['no closing delimiter', 'multipart/mixed;boundary=b1', '--b1\r\n\r\nhello'],
    ['no part', 'multipart/mixed;boundary=b1', '--b1--\r\n'],
    [
      'too many parts',
      'multipart/mixed;boundary=b1',
      '--b1\r\n\r\nx\r\n'.repeat(multipartLimits.maxParts + 1) + '--b1--',
    ],
    ['a header line without a name', 'multipart/mixed;boundary=b1', '--b1\r\nhello\r\n\r\n\r\n--b1--'],
    ['a control character in a header', 'multipart/mixed;boundary=b1', '--b1\r\nA: \u0001\r\n\r\n\r\n--b1--'],
    [
      'two content types',
      'multipart/mixed;boundary=b1',
      '--b1\r\nContent-Type: a/b\r\ncontent-type: a/c\r\n\r\n--b1--',
    ],
    ['broken base64', 'multipart/mixed;boundary=b1', '--b1\r\nContent-Transfer-Encoding: base64\r\n\r\n%%\r\n--b1--'],
    [
      'base64 that is not ASCII',
      'multipart/mixed;boundary=b1',
      '--b1\r\nContent-Transfer-Encoding: base64\r\n\r\né\r\n--b1--',
    ],
    [
      'too many headers',
      'multipart/mixed;boundary=b1',
      `--b1\r\n${'A: b\r\n'.repeat(mimeEntityLimits.maxHeaders + 1)}\r\n\r\n--b1--`,
    ],
    ['too long a header', 'multipart/mixed;boundary=b1', `--b1\r\nA: ${'b'.repeat(20_000)}\r\n\r\n\r\n--b1--`],
  ])('refuses %s', (_case, contentType, body) => {
    expect(() => decodeMultipart(parseMediaType(contentType), utf8(body))).toThrow(
      expect.objectContaining({ kind: 'malformed', hint: { sip: 400 } }),
    );
  });

  it('names a transfer encoding that it does not know as unsupported', () => {
    expect(() => decodeMimeEntity(utf8('Content-Transfer-Encoding: x-uuencode\r\n\r\n'), 'part')).toThrow(
      expect.objectContaining({ kind: 'unsupported', hint: { sip: 415 } }),
    );
  });

  it('refuses to write no part, and a header of two lines', () => {
    const write = (headers: { name: string; value: string }[]) =>
      encodeMultipart({ subtype: 'mixed', parts: [{ headers, body: utf8('') }], random: secureRandom });
    expect(() => write([{ name: 'A', value: 'b\r\nC: d' }])).toThrow(ProtocolError);
    expect(() => write([{ name: 'A: x\r\nB', value: 'b' }])).toThrow(ProtocolError);
    expect(() => encodeMultipart({ subtype: 'mixed', parts: [], random: secureRandom })).toThrow(ProtocolError);
  });

  it('reads a header full of blanks in no more time than another', () => {
    const line = `X: a${' '.repeat(15_000)}b\r\n\r\n\r\n`;
    const started = performance.now();
    expect(texts(`${`--b1\r\n${line}`.repeat(8)}--b1--`)).toHaveLength(8);
    // Over a second when each run of blanks is tried from each of its places.
    expect(performance.now() - started).toBeLessThan(200);
    expect(decodeMimeEntity(utf8('X: \t a \t b \t \r\n\r\n'), 'part').headers).toEqual([
      { name: 'X', value: 'a \t b' },
    ]);
  });

  it('never fails with anything but a typed error', () => {
    const piece = fc.oneof(
      fc.constantFrom('--b1', '--', '\r\n', '\n', 'A: b', 'Content-Transfer-Encoding: base64', ' ').map(utf8),
      fc.uint8Array({ maxLength: 8 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        try {
          decodeMultipart(mixed, concatBytes(...pieces));
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
    );
  });
});

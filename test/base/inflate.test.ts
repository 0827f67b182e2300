import { constants, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromUtf8, utf8 } from '../../src/base/bytes.ts';
import { ProtocolError } from '../../src/base/errors.ts';
import { inflate } from '../../src/base/inflate.ts';

const most = 100_000;
const undo = (bytes: Uint8Array, limit = most): Uint8Array => inflate(bytes, limit, 'test');
const text = utf8('a message that repeats itself, a message that repeats itself, '.repeat(200));
/** Not compressible: with a formula, so that it is the same in every run. */
const noise = Uint8Array.from({ length: 9_000 }, (_, index) => (Math.imul(index + 1, 2_654_435_761) >>> 13) & 0xff);

describe('inflate', () => {
  it.each([
    ['nothing', new Uint8Array(), {}],
    ['stored blocks', text, { level: 0 }],
    ['fixed codes', text, { strategy: constants.Z_FIXED }],
    ['codes of its own', text, { level: 9 }],
    ['Huffman codes alone', text, { strategy: constants.Z_HUFFMAN_ONLY }],
    ['runs of one octet', new Uint8Array(5_000), { strategy: constants.Z_RLE }],
    ['noise', noise, {}],
    ['a small window', text, { windowBits: 9 }],
  ] as const)('undoes what zlib compressed: %s', (_name, content, options) => {
    expect(undo(new Uint8Array(deflateSync(content, options)))).toEqual(content);
  });

  it('undoes whatever zlib compresses', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 30 }),
        fc.integer({ min: 0, max: 9 }),
        (parts, level) => {
          const content = Uint8Array.from([...parts, ...parts].flatMap((part) => [...part]));
          expect(undo(new Uint8Array(deflateSync(content, { level })))).toEqual(content);
        },
      ),
      { seed: 1951, numRuns: 300 },
    );
  });

  it('makes no more than is allowed', () => {
    const bomb = new Uint8Array(deflateSync(new Uint8Array(10_000_000)));
    expect(() => undo(bomb)).toThrow(ProtocolError);
    expect(() => undo(new Uint8Array(deflateSync(text)), text.length - 1)).toThrow(/too large/);
    expect(undo(new Uint8Array(deflateSync(text)), text.length)).toEqual(text);
  });

  it('refuses what is damaged, and never fails in another way', () => {
    const whole = new Uint8Array(deflateSync(text));
    fc.assert(
      fc.property(fc.nat({ max: whole.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const damaged = Uint8Array.from(whole, (octet, index) => (index === at ? octet ^ change : octet));
        expect(() => undo(damaged)).toThrow(ProtocolError);
      }),
      { seed: 1950, numRuns: 500 },
    );
    for (let length = 0; length < whole.length; length++) {
      expect(() => undo(whole.slice(0, length))).toThrow(ProtocolError);
    }
  });

  it.each([
    ['without the zlib format', deflateRawSync(text)],
    ['gzip', gzipSync(text)],
    ['with a dictionary', deflateSync(text, { dictionary: Buffer.from('message') })],
    ['with more behind it', Buffer.concat([deflateSync(text), Buffer.from('x')])],
    ['plain text', Buffer.from(fromUtf8(text))],
  ])('refuses what is %s', (_name, bytes) => {
    expect(() => undo(new Uint8Array(bytes))).toThrow(ProtocolError);
  });
});

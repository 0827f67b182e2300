import fc from 'fast-check';
import { expect, test } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { BoundedLines } from '../../src/cli/bounded-lines.ts';

test('lines come out the same however the octets are cut', () => {
  const line = fc.string({ unit: 'binary', maxLength: 30 }).map((text) => text.replace(/[\r\n]/g, '').trim());
  fc.assert(
    fc.property(fc.array(line), fc.integer({ min: 1, max: 9 }), (texts, size) => {
      const bytes = utf8(texts.map((text) => `${text}\n`).join(''));
      const lines = new BoundedLines(1000);
      const seen = [];
      for (let offset = 0; offset < bytes.length; offset += size) {
        seen.push(...lines.push(bytes.subarray(offset, offset + size)));
      }
      expect(seen).toEqual(texts.filter((text) => text !== '').map((text) => ({ text })));
    }),
  );
});

test('a line that is too long is one problem, and the next line is read', () => {
  const lines = new BoundedLines(10);
  expect(lines.push(utf8('x'.repeat(100)))).toEqual([]);
  expect(lines.push(utf8('x'.repeat(100) + '\nok\n'))).toEqual([{ problem: 'too-long' }, { text: 'ok' }]);
  expect(lines.push(utf8('0123456789\n'))).toEqual([{ text: '0123456789' }]);
});

test('octets that are not UTF-8 are one problem', () => {
  const lines = new BoundedLines(10);
  expect(lines.push(Uint8Array.of(0xff, 0x0a, 0x61, 0x0a))).toEqual([{ problem: 'not-utf-8' }, { text: 'a' }]);
});

test('the last line counts without its line feed', () => {
  const lines = new BoundedLines(10);
  expect(lines.push(utf8('abc'))).toEqual([]);
  expect(lines.end()).toEqual([{ text: 'abc' }]);
  expect(lines.end()).toEqual([]);
});

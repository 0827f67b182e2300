import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { toBase64, toHex } from '../../../src/base/bytes.ts';
import { readBase64Text, readHexText } from '../../../src/cli/inspect/text-octets.ts';

const bytes = Uint8Array.from({ length: 40 }, (_, index) => (index * 37 + 1) & 0xff);
const digits = toHex(bytes);
const pairs = digits.match(/../g)!;
const ascii = (from: number): string =>
  [...bytes.subarray(from, from + 16)]
    .map((octet) => (octet > 0x20 && octet < 0x7f ? String.fromCharCode(octet) : '.'))
    .join('');
const rows = [0, 16, 32];
const row = (from: number): string[] => pairs.slice(from, from + 16);

const spellings: Readonly<Record<string, string>> = {
  plain: digits,
  'capital letters': digits.toUpperCase(),
  blanks: pairs.join(' '),
  colons: pairs.join(':'),
  commas: pairs.map((pair) => `0x${pair}`).join(', '),
  'a leading 0x': `0x${digits}`,
  'C escapes': pairs.map((pair) => `\\x${pair}`).join(''),
  lines: pairs.map((pair, index) => pair + (index % 8 === 7 ? '\n' : ' ')).join(''),
  xxd: rows
    .map((from) => {
      const groups = row(from)
        .join('')
        .match(/.{1,4}/g)!
        .join(' ');
      return `${from.toString(16).padStart(8, '0')}: ${groups.padEnd(39)}  ${ascii(from)}\n`;
    })
    .join(''),
  'hexdump -C': [
    ...rows.map((from) => {
      const halves = [row(from).slice(0, 8).join(' '), row(from).slice(8).join(' ')].join('  ');
      return `${from.toString(16).padStart(8, '0')}  ${halves.padEnd(49)} |${ascii(from)}|`;
    }),
    '00000028',
  ].join('\n'),
  hexdump: [
    ...rows.map((from) => {
      const words = row(from)
        .join('')
        .match(/..../g)!
        .map((word) => word.slice(2) + word.slice(0, 2));
      return `${from.toString(16).padStart(7, '0')} ${words.join(' ')}`;
    }),
    '0000028',
  ].join('\n'),
  'od -t x1': [...rows.map((from) => `${from.toString(8).padStart(7, '0')} ${row(from).join(' ')}`), '0000050'].join(
    '\n',
  ),
  'tcpdump -X': rows
    .map((from) => {
      const groups = row(from)
        .join('')
        .match(/.{1,4}/g)!
        .join(' ');
      return `\t0x${from.toString(16).padStart(4, '0')}:  ${groups.padEnd(39)}  ${ascii(from)}`;
    })
    .join('\n'),
  Wireshark: rows
    .map((from) => `${from.toString(16).padStart(4, '0')}   ${row(from).join(' ').padEnd(47)}   ${ascii(from)}`)
    .join('\n'),
  'a dump of one line': `00000000: ${row(0).join(' ')}`,
};

describe('hexadecimal digits', () => {
  it.each(Object.entries(spellings))('are read as %s', (name, text) => {
    const read = readHexText(text);
    const expected = name === 'a dump of one line' ? bytes.subarray(0, 16) : bytes;
    expect(toHex(read!.bytes)).toBe(toHex(expected));
    expect(read!.stop).toBeUndefined();
  });

  it('with half an octet at the end tell where', () => {
    expect(readHexText('0102030')).toEqual({
      bytes: Uint8Array.of(1, 2, 3),
      encoding: 'hex',
      stop: { offset: 6, problem: 'half an octet', expected: 'an even number of digits' },
    });
  });

  it('of a dump with a line missing tell where', () => {
    const lines = spellings['xxd']!.split('\n');
    const read = readHexText([lines[0], lines[2]].join('\n'));
    expect(read?.stop?.problem).toBe('16 octets up to here, the next line says 32');
  });

  it('are not found in other texts', () => {
    for (const text of ['', 'a', 'hello', 'AQ4FgGstbxk=', 'v=0\r\no=- 1 1 IN IP4 h'])
      expect(readHexText(text)).toBeUndefined();
  });
});

describe('base64', () => {
  it('is read in both alphabets, with and without padding and line breaks', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 3, maxLength: 200 }), (octets) => {
        const text = toBase64(octets);
        const url = text.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
        for (const one of [text, url, text.match(/.{1,7}/g)!.join('\r\n')]) {
          const read = readBase64Text(one);
          expect(toHex(read!.bytes)).toBe(toHex(octets));
          expect(read!.stop).toBeUndefined();
        }
      }),
      { seed: 3, numRuns: 200 },
    );
  });

  it('with a wrong character gives what stands before it', () => {
    const read = readBase64Text('AQIDBAUG!AQID');
    expect(read).toMatchObject({ encoding: 'base64', stop: { offset: 8, problem: 'unexpected character' } });
    expect([...read!.bytes]).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('that lacks a character says so', () => {
    expect(readBase64Text('AQIDB')?.stop).toMatchObject({ offset: 5 });
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concatBytes, utf8 } from '../../../src/base/bytes.ts';
import {
  components,
  escapeText,
  parameterValues,
  readVCards,
  unescapeText,
  vcardLimits,
  writeVCard,
  type VCardProperty,
} from '../../../src/protocol/vcard/index.ts';

const card = (...lines: string[]): Uint8Array => utf8(['BEGIN:VCARD', ...lines, 'END:VCARD', ''].join('\r\n'));
const properties = (bytes: Uint8Array): readonly VCardProperty[] => readVCards(bytes).cards[0]!.properties;
const only = (...lines: string[]): VCardProperty => properties(card('VERSION:4.0', ...lines))[0]!;

describe('reading', () => {
  test.each([
    ['a plain property', ['FN:Alice'], { name: 'FN', value: 'Alice' }],
    ['a name in lower case', ['fn:Alice'], { name: 'FN', value: 'Alice' }],
    ['a group', ['item1.TEL:+1'], { group: 'item1', name: 'TEL', value: '+1' }],
    ['a folded line, by space and tab', ['NOTE:This', '  is', '\t a', ' note'], { value: 'This is anote' }],
    ['a colon and a semicolon in quotes', ['TEL;X="a:b;c":+1'], { value: '+1' }],
    ['a value with colons', ['IMPP:sip:alice@example.org'], { value: 'sip:alice@example.org' }],
    ['an empty value', ['NOTE:'], { value: '' }],
  ])('%s', (_, lines, expected) => {
    expect(only(...lines)).toMatchObject(expected);
  });

  test('parameters: lists, quotes, repetition, RFC 6868 and the bare ones of 2.1', () => {
    const property = only('TEL;TYPE=work,"a,b";type=cell;X=a^nb^^c^\'d;HOME:+1');
    expect(property.parameters.get('TYPE')).toEqual(['work', 'a,b', 'cell', 'HOME']);
    expect(parameterValues(property, 'TYPE')).toContain('home');
    expect(property.parameters.get('X')).toEqual(['a\nb^c"d']);
  });

  test('a fold inside a character', () => {
    const octets = utf8('NOTE:Grüße');
    const cut = octets.indexOf(0xc3) + 1;
    const folded = concatBytes(octets.subarray(0, cut), utf8('\r\n '), octets.subarray(cut));
    const bytes = concatBytes(utf8('BEGIN:VCARD\nVERSION:3.0\n'), folded, utf8('\nEND:VCARD'));
    expect(properties(bytes)[0]?.value).toBe('Grüße');
  });

  test('quoted-printable with soft line breaks, base64 with folds, as phones of 2.1 write them', () => {
    const bytes = card(
      'VERSION:2.1',
      'FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:J=C3=BCrgen=',
      ' M=C3=BCller',
      'NOTE;QUOTED-PRINTABLE:one=0D=0Atwo',
      'PHOTO;JPEG;BASE64:/9j/',
      ' 4AAQ',
      '',
      'TEL;CELL:+1',
    );
    const [name, note, photo, tel] = properties(bytes);
    expect(name?.value).toBe('Jürgen Müller');
    expect(unescapeText(note?.value ?? '')).toBe('one\ntwo');
    expect(photo?.value).toBe('/9j/4AAQ');
    expect(parameterValues(photo!, 'ENCODING')).toEqual(['base64']);
    expect(tel?.name).toBe('TEL');
  });

  test('several cards, a mark of the byte order, both line ends', () => {
    const one = 'BEGIN:VCARD\nVERSION:3.0\nFN:A\nEND:VCARD\n';
    const other = 'begin:vcard\r\nversion:4.0\r\nFN:B\r\nend:vcard';
    const { cards, problems } = readVCards(concatBytes(Uint8Array.of(0xef, 0xbb, 0xbf), utf8(one + other)));
    expect(cards.map(({ version, line }) => [version, line])).toEqual([
      ['3.0', 1],
      ['4.0', 5],
    ]);
    expect(problems).toEqual([]);
  });
});

describe('what is wrong in one place keeps nothing else out', () => {
  test.each([
    ['a line without a colon', 'nothing', /cannot be read/],
    ['a name that is none', 'F N:x', /cannot be read/],
    ['a charset other than UTF-8', 'NOTE;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:=E9', /not in UTF-8/],
    ['broken quoted-printable', 'NOTE;ENCODING=QUOTED-PRINTABLE:=zz', /cannot be read/],
    ['a quote without an end', 'TEL;X="a:b', /cannot be read/],
    ['a line that is too long', `NOTE:${'x'.repeat(vcardLimits.lineOctets)}`, /too long/],
    ['too many parameters', `TEL${';A=1'.repeat(40)}:+1`, /cannot be read/],
  ])('%s', (_, line, expected) => {
    const { cards, problems } = readVCards(card('VERSION:4.0', line, 'FN:Alice'));
    expect(problems).toEqual([{ line: 3, problem: expect.stringMatching(expected) as string }]);
    expect(cards[0]?.properties.map(({ name }) => name)).toEqual(['FN']);
  });

  test('cards without version, of another version, without end, inside one another, and lines outside', () => {
    const text = [
      'FN:outside',
      ...['BEGIN:VCARD', 'FN:a', 'END:VCARD'],
      ...['BEGIN:VCARD', 'VERSION:9.0', 'END:VCARD'],
      ...[
        'BEGIN:VCARD',
        'VERSION:2.1',
        'AGENT:',
        'BEGIN:VCARD',
        'VERSION:2.1',
        'FN:in',
        'END:VCARD',
        'FN:b',
        'END:VCARD',
      ],
      'END:VCARD',
      ...['BEGIN:VCARD', 'VERSION:4.0', 'FN:c'],
    ].join('\n');
    const { cards, problems } = readVCards(utf8(text));
    expect(cards.map(({ properties: own }) => own.at(-1)?.value)).toEqual(['b']);
    expect(problems.map(({ line }) => line)).toEqual([1, 2, 5, 11, 17, 18]);
  });

  test('octets that are no UTF-8', () => {
    const bytes = concatBytes(utf8('BEGIN:VCARD\nVERSION:3.0\nNOTE:'), Uint8Array.of(0xff), utf8('\nFN:A\nEND:VCARD'));
    expect(readVCards(bytes)).toMatchObject({ problems: [{ line: 3 }], cards: [{ properties: [{ name: 'FN' }] }] });
  });

  test('a file that holds no card, or too much, is refused', () => {
    expect(() => readVCards(utf8('hello'))).toThrow(/no card/);
    expect(() => readVCards(new Uint8Array(vcardLimits.octets + 1))).toThrow(/too large/);
    expect(() => readVCards(utf8('BEGIN:VCARD\nEND:VCARD\n'.repeat(vcardLimits.cards + 1)))).toThrow(/too many/);
    const many = readVCards(card('VERSION:4.0', ...Array.from({ length: 501 }, () => 'NOTE:x')));
    expect(many.cards[0]?.properties).toHaveLength(500);
    expect(many.problems).toHaveLength(1);
  });
});

describe('writing', () => {
  test('folds at 75 octets between characters, and quotes what needs it', () => {
    const parameters = new Map([['X', ['a;b', 'c"d\ne^f']]]);
    const text = writeVCard([{ name: 'NOTE', parameters, value: escapeText('ü'.repeat(200)) }]);
    expect(text).toContain('NOTE;X="a;b",c^\'d^ne^^f:');
    for (const line of text.split('\r\n')) expect(utf8(line).length).toBeLessThanOrEqual(75);
    expect(properties(utf8(text))[0]).toMatchObject({ value: 'ü'.repeat(200) });
  });

  test('refuses what no line can hold', () => {
    const property = { name: 'NOTE', parameters: new Map<string, string[]>(), value: 'a\nEND:VCARD' };
    expect(() => writeVCard([property])).toThrow(/line break/);
    expect(() => writeVCard([{ ...property, value: '', parameters: new Map([['X', ['\u0000']]]) }])).toThrow(/control/);
  });

  test('what is written is read again', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 200 });
    const parameter = fc.string({ unit: 'grapheme', maxLength: 30 }).map((value) => value.replace(/\p{Cc}/gu, ''));
    fc.assert(
      fc.property(text, parameter, (value, param) => {
        const parameters = new Map([['X-A', [param, param]]]);
        const written = writeVCard([{ group: 'g', name: 'NOTE', parameters, value: escapeText(value) }]);
        const [read] = properties(utf8(written));
        expect(read).toMatchObject({ group: 'g', name: 'NOTE' });
        expect(unescapeText(read!.value)).toBe(value.replace(/\r\n?/g, '\n'));
        expect(read!.parameters.get('X-A')).toEqual([param, param]);
      }),
      { seed: 20260731, numRuns: 300 },
    );
  });

  test('components are what was joined', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' }), { minLength: 1, maxLength: 6 }), (parts) => {
        const plain = parts.map((part) => part.replace(/\r\n?/g, '\n'));
        expect(components(plain.map(escapeText).join(';'))).toEqual(plain);
      }),
      { seed: 20260731 },
    );
  });
});

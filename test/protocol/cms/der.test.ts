import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex } from '../../../src/base/bytes.ts';
import { ProtocolError } from '../../../src/base/errors.ts';
import { DerReader, derTag } from '../../../src/protocol/cms/der-reader.ts';
import { derElement, derObjectIdentifier, derOctetString } from '../../../src/protocol/cms/der-writer.ts';

describe('DER', () => {
  it('reads back octet strings of every length form, and nothing after them', () => {
    for (const length of [0, 1, 127, 128, 255, 256, 65_535, 65_536]) {
      const contents = new Uint8Array(length).fill(7);
      const reader = new DerReader(derOctetString(contents));
      expect(reader.octetString('field')).toEqual(contents);
      expect(reader.isAtEnd).toBe(true);
    }
  });

  it('reads back object identifiers', () => {
    const arcs = fc
      .tuple(fc.nat(2), fc.nat(39), fc.array(fc.nat(2 ** 31), { maxLength: 5 }))
      .map(([top, second, rest]) => [top, second, ...rest].join('.'));
    fc.assert(
      fc.property(arcs, (dotted) => {
        expect(new DerReader(derObjectIdentifier(dotted)).objectIdentifier('field')).toBe(dotted);
      }),
    );
  });

  it('reports offsets in the whole input, however deep', () => {
    const inner = derElement(derTag.sequence, fromHex('0402'), fromHex('aa'));
    const reader = new DerReader(derElement(derTag.sequence, derOctetString(fromHex('0102')), inner));
    const outer = reader.enter(derTag.sequence, 'outer');
    outer.octetString('first');
    const nested = outer.enter(derTag.sequence, 'inner');
    expect(() => nested.octetString('second')).toThrow(
      expect.objectContaining({ field: 'second', offset: 9, kind: 'malformed' }),
    );
  });

  it.each([
    ['indefinite length', '308000'],
    ['length not in the shortest form', '04810101'],
    ['length with a leading zero', '0482008001'],
    ['length beyond four octets', '0485000000000100'],
    ['length beyond the input', '0403aabb'],
    ['long tag', '1f8101'],
    ['nothing', ''],
    ['tag only', '04'],
    ['another type', '0500'],
  ])('refuses %s', (_case, hex) => {
    expect(() => new DerReader(fromHex(hex)).read(derTag.octetString, 'field')).toThrow(ProtocolError);
  });

  it.each([
    ['negative', '0201ff'],
    ['empty', '0200'],
    ['padded', '02020001'],
    ['too large', '02050100000000'],
  ])('refuses an INTEGER that is %s', (_case, hex) => {
    expect(() => new DerReader(fromHex(hex)).smallInteger('field')).toThrow(ProtocolError);
  });

  it.each([
    ['empty', '0600'],
    ['cut off', '06022a86'],
    ['padded', '06032a8001'],
    ['too large an arc', '060a2affffffffffffffff7f'],
  ])('refuses an OBJECT IDENTIFIER that is %s', (_case, hex) => {
    expect(() => new DerReader(fromHex(hex)).objectIdentifier('field')).toThrow(ProtocolError);
  });

  it('never fails with anything but a typed error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          const reader = new DerReader(bytes);
          while (!reader.isAtEnd) reader.any('field');
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
    );
  });
});

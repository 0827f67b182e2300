import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes, fromUtf8, utf8 } from '../../../src/base/bytes.ts';
import { ProtocolError } from '../../../src/base/errors.ts';
import { cpimLimits, decodeCpim, encodeCpim, type CpimMessage } from '../../../src/protocol/cpim/index.ts';

const plain = 'Content-Type: text/plain;charset=utf-8\r\n\r\nhello';

function decode(headers: string): CpimMessage {
  return decodeCpim(utf8(`${headers}\r\n\r\n${plain}`));
}

describe('CPIM', () => {
  it('reads the example of RFC 5438 7.1.1.3 in sense', () => {
    const message = decode(
      [
        'From: Alice <im:alice@example.com>',
        'To: Bob <im:bob@example.com>',
        'NS: imdn <urn:ietf:params:imdn>',
        'imdn.Message-ID: 34jk324j',
        'DateTime: 2006-04-04T12:16:49-05:00',
        'imdn.Disposition-Notification: positive-delivery, negative-delivery',
      ].join('\r\n'),
    );
    expect(message).toMatchObject({
      from: { uri: 'im:alice@example.com', displayName: 'Alice' },
      to: [{ uri: 'im:bob@example.com', displayName: 'Bob' }],
      messageId: '34jk324j',
      dateTime: Date.UTC(2006, 3, 4, 17, 16, 49),
      dispositions: ['positive-delivery', 'negative-delivery'],
      otherHeaders: [],
    });
    expect(fromUtf8(message.content.body)).toBe('hello');
  });

  it('knows a header by its namespace, not by its prefix', () => {
    expect(decode('NS: x <urn:ietf:params:imdn>\r\nx.Message-ID: 7').messageId).toBe('7');
    const foreign = decode('NS: <urn:other>\r\nFrom: Alice');
    expect(foreign.from).toBeUndefined();
    expect(foreign.otherHeaders).toEqual([{ namespace: 'urn:other', name: 'From', value: 'Alice' }]);
  });

  it('keeps unknown headers, with language and order', () => {
    const message = decode('NS: a <urn:a>\r\na.One:;lang=fr un\r\nX-Two: 2\r\na.One: 1');
    expect(message.otherHeaders).toEqual([
      { namespace: 'urn:a', name: 'One', parameters: 'lang=fr', value: 'un' },
      { namespace: 'urn:ietf:params:cpim-headers:', name: 'X-Two', value: '2' },
      { namespace: 'urn:a', name: 'One', value: '1' },
    ]);
    expect(decodeCpim(encodeCpim(message))).toEqual(message);
  });

  it('keeps cc and the routes of notifications, in their order', () => {
    const message = decode(
      [
        'From: <im:a@b>',
        'To: <im:b@b>',
        'To: <im:c@b>',
        'cc: Dora <im:d@b>',
        'cc: <im:e@b>',
        'NS: i <urn:ietf:params:imdn>',
        'i.Original-To: <im:list@b>',
        'i.IMDN-Record-Route: <im:near@b>',
        'i.IMDN-Record-Route: <im:far@b>',
        'i.IMDN-Route: <im:back@b>',
      ].join('\r\n'),
    );
    expect(message).toMatchObject({
      to: [{ uri: 'im:b@b' }, { uri: 'im:c@b' }],
      cc: [{ uri: 'im:d@b', displayName: 'Dora' }, { uri: 'im:e@b' }],
      originalTo: { uri: 'im:list@b' },
      recordRoute: [{ uri: 'im:near@b' }, { uri: 'im:far@b' }],
      route: [{ uri: 'im:back@b' }],
      otherHeaders: [],
    });
    expect(decodeCpim(encodeCpim(message))).toEqual(message);
  });

  it('understands what Require names by its namespace (RFC 3862 4.7)', () => {
    expect(decode('NS: x <urn:ietf:params:imdn>\r\nx.Message-ID: 7\r\nRequire: x.Message-ID, cc').messageId).toBe('7');
    for (const required of ['x.Message-ID', 'imdn.Other', 'VitalHeader', 'imdn.a.b', '']) {
      expect(() => decode(`Require: ${required}`)).toThrow(expect.objectContaining({ kind: 'unsupported' }));
    }
  });

  it('undoes escapes as RFC 3862 2.3 says', () => {
    expect(decode('Subject: a\\tb\\u00e9\\\\c\\"\\q\\').subject).toBe('a\tbé\\c"q');
    expect(decode('From: "A \\"B\\"" <im:a@b>').from).toEqual({ uri: 'im:a@b', displayName: 'A "B"' });
  });

  it('reads LF line ends', () => {
    const message = decodeCpim(utf8('From: <im:a@b>\n\nContent-Type: text/plain\n\na\nb'));
    expect([message.from?.uri, fromUtf8(message.content.body)]).toEqual(['im:a@b', 'a\nb']);
  });

  it('gives back what was written', () => {
    const line = fc.string({ unit: 'grapheme', maxLength: 20 });
    const address = fc.record({ uri: fc.constantFrom('sip:a@b.c', 'tel:+123'), displayName: line.filter(Boolean) });
    const message: fc.Arbitrary<CpimMessage> = fc.record({
      from: address,
      to: fc.array(address, { maxLength: 3 }),
      dateTime: fc.integer({ min: 0, max: Date.UTC(9999, 0) }),
      subject: line,
      messageId: line,
      dispositions: fc.constantFrom([], ['positive-delivery', 'display']),
      otherHeaders: fc.array(
        fc.record({
          namespace: fc.constantFrom('urn:a', 'urn:b', 'urn:ietf:params:cpim-headers:'),
          name: fc.constantFrom('X-One', 'Two'),
          value: line,
        }),
        { maxLength: 4 },
      ),
      content: fc.record({
        headers: fc.constant([{ name: 'Content-Type', value: 'text/plain;charset=utf-8' }]),
        body: fc.uint8Array({ maxLength: 100 }),
      }),
    });
    fc.assert(
      fc.property(message, (value) => {
        expect(decodeCpim(encodeCpim(value))).toEqual(value);
      }),
    );
  });

  it.each([
    ['two senders', 'From: <im:a@b>\r\nFrom: <im:c@d>'],
    ['two message ids', 'imdn.Message-ID: 1\r\nimdn.Message-ID: 2'],
    ['no address', 'From: alice'],
    ['no time', 'DateTime: yesterday'],
    ['an impossible time', 'DateTime: 2026-13-01T00:00:00Z'],
    ['a prefix without a namespace', 'x.Name: 1'],
    ['a namespace without a URI', 'NS: x'],
    ['a line that is no header', 'hello'],
    ['a control character', 'Subject: \u0001'],
    ['too many headers', Array.from({ length: cpimLimits.maxHeaders + 1 }, () => 'A: b').join('\r\n')],
    ['too long a header', `Subject: ${'x'.repeat(cpimLimits.maxHeaderOctets)}`],
  ])('refuses %s', (_case, headers) => {
    expect(() => decode(headers)).toThrow(expect.objectContaining({ kind: 'malformed', hint: { sip: 400 } }));
  });

  it('refuses content without a type, no content, and what is too large', () => {
    for (const text of ['From: <im:a@b>\r\n\r\n\r\nhello', 'From: <im:a@b>\r\n', '', 'From: <im:a@b>']) {
      expect(() => decodeCpim(utf8(text))).toThrow(expect.objectContaining({ kind: 'malformed' }));
    }
    expect(() => decodeCpim(new Uint8Array(cpimLimits.maxOctets + 1))).toThrow(ProtocolError);
  });

  it('refuses to guess a header that must be understood', () => {
    expect(() => decode('Require: X-Vital')).toThrow(expect.objectContaining({ kind: 'unsupported' }));
    expect(decode('Require: Subject\r\nSubject: a').subject).toBe('a');
  });

  it('does not write an address that would end its header', () => {
    for (const uri of ['sip:a@b>\r\nX: y', 'sip:a b', 'alice', 'sip:a@b<']) {
      expect(() =>
        encodeCpim({ to: [{ uri }], dispositions: [], otherHeaders: [], content: { headers: [], body: utf8('') } }),
      ).toThrow(ProtocolError);
    }
  });

  it('reads an address full of blanks in no more time than another', () => {
    const started = performance.now();
    for (const end of ['x', '<im:a@b', '>'])
      expect(() => decode(`From: a${' '.repeat(16_000)}${end}`)).toThrow(ProtocolError);
    // Half a second when each run of blanks is tried from each of its places.
    expect(performance.now() - started).toBeLessThan(100);
    expect(decode('From: "a <b> c" <im:a@b> ').from).toEqual({ uri: 'im:a@b', displayName: 'a <b> c' });
  });

  it('never fails with anything but a typed error', () => {
    const piece = fc.oneof(
      fc.constantFrom('From: <im:a@b>', 'NS: x <u:v>', 'x.', ': ', '\r\n', '\\u12', 'Content-Type: a/b').map(utf8),
      fc.uint8Array({ maxLength: 6 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        try {
          decodeCpim(concatBytes(...pieces));
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
    );
  });
});

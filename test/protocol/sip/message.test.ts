import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromUtf8, utf8 } from '../../../src/base/bytes.ts';
import { ProtocolError } from '../../../src/base/errors.ts';
import {
  checkMandatoryHeaders,
  formatNameAddress,
  formatSipUri,
  formatVia,
  parseCSeq,
  parseNameAddress,
  parseSipUri,
  parseVia,
  splitHeaderList,
} from '../../../src/protocol/sip/headers.ts';
import { parseSipMessage, serialiseSipMessage, SipMessage } from '../../../src/protocol/sip/message.ts';

const example = [
  'MESSAGE sip:bob@lab.test SIP/2.0',
  'v: SIP/2.0/TLS 127.0.0.1:5061;branch=z9hG4bKabc;rport',
  'f: "A. Lice" <sip:alice@lab.test>;tag=1',
  't: <sip:bob@lab.test>',
  'i: 1234',
  'CSeq: 7 MESSAGE',
  'Subject: one',
  '  folded',
  '\tand again',
  'l: 6',
  '',
  'héllo',
].join('\r\n');

function parse(text: string): SipMessage {
  return parseSipMessage(utf8(text));
}

function problem(action: () => unknown): ProtocolError {
  try {
    action();
  } catch (error) {
    if (error instanceof ProtocolError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('SIP message codec', () => {
  test('reads compact and folded headers and counts the body in octets', () => {
    const message = parse(example);
    expect(message.start).toEqual({ kind: 'request', method: 'MESSAGE', uri: 'sip:bob@lab.test' });
    expect(message.headers.get('call-id')).toBe('1234');
    expect(message.headers.get('VIA')).toContain('z9hG4bKabc');
    expect(message.headers.get('Subject')).toBe('one folded and again');
    expect(fromUtf8(message.body)).toBe('héllo');
    checkMandatoryHeaders(message);
  });

  test('writes the length of the body that is there', () => {
    const message = SipMessage.response(200, 'OK');
    message.headers.add('Content-Length', '99').add('X', 'y');
    message.body = Uint8Array.of(0x30, 0x82, 0xff, 0x80);
    const bytes = serialiseSipMessage(message);
    expect(parseSipMessage(bytes).headers.get('l')).toBe('4');
    expect(parseSipMessage(bytes).body).toEqual(message.body);
  });

  test('keeps order; set, prepend, shift and remove act where they say', () => {
    const { headers } = SipMessage.request('INVITE', 'sip:a@b');
    headers.add('Via', '1').add('To', 't').add('v', '2').prepend('via', '0').prepend('Route', 'r');
    expect(headers.fields.map(({ value }) => value).join()).toBe('r,0,1,t,2');
    expect(headers.shift('Via')).toBe('0');
    expect(headers.set('Via', 'x').getAll('v')).toEqual(['x']);
    expect(headers.remove('Route').fields.map(({ value }) => value)).toEqual(['x', 't']);
  });

  test('refuses header text that would start another header', () => {
    const { headers } = SipMessage.request('MESSAGE', 'sip:a@b');
    expect(problem(() => headers.add('Subject', 'a\r\nP-Asserted-Identity: <sip:x@y>')).kind).toBe('local');
    expect(problem(() => serialiseSipMessage(SipMessage.response(200, 'a\r\nb: c'))).kind).toBe('local');
  });

  test('survives a NUL in place of the line feed after Flow-Timer, and only there', () => {
    const flowTimer = parse('SIP/2.0 200 OK\r\nFlow-Timer: 120\r\0Call-ID: x\r\nContent-Length: 0\r\n\r\n');
    expect(flowTimer.headers.get('Flow-Timer')).toBe('120');
    expect(flowTimer.headers.get('Call-ID')).toBe('x');
    expect(problem(() => parse('SIP/2.0 200 OK\r\nSubject: 1\r\0To: x\r\n\r\n')).hint.sip).toBe(400);
  });

  test.each([
    ['empty', '', 400],
    ['no empty line', 'SIP/2.0 200 OK\r\nA: b\r\n', 400],
    ['no start line', '\r\n\r\n', 400],
    ['no URI', 'INVITE SIP/2.0\r\n\r\n', 400],
    ['spaces in the URI', 'INVITE sip:a b SIP/2.0\r\n\r\n', 400],
    ['SIP/7.0', 'INVITE sip:a SIP/7.0\r\n\r\n', 505],
    ['status 999', 'SIP/2.0 999 No\r\n\r\n', 400],
    ['header without colon', 'SIP/2.0 200 OK\r\nabc\r\n\r\n', 400],
    ['continuation first', 'SIP/2.0 200 OK\r\n abc\r\n\r\n', 400],
    ['negative length', 'SIP/2.0 200 OK\r\nl: -1\r\n\r\n', 400],
    ['two lengths', 'SIP/2.0 200 OK\r\nl: 1\r\nContent-Length: 2\r\n\r\nab', 400],
    ['short body', 'SIP/2.0 200 OK\r\nl: 5\r\n\r\nabcd', 400],
    ['long headers', `SIP/2.0 200 OK\r\nA: ${'x'.repeat(70_000)}\r\n\r\n`, 413],
    ['many headers', `SIP/2.0 200 OK\r\n${'A: b\r\n'.repeat(300)}\r\n`, 413],
  ])('refuses %s', (_, text, sip) => {
    const error = problem(() => parse(text));
    expect(error.kind).toBe('malformed');
    expect(error.hint.sip).toBe(sip);
  });

  test('what is written is read back', () => {
    const value = fc.string({ unit: 'grapheme', maxLength: 40 }).map((text) =>
      text
        // eslint-disable-next-line no-control-regex
        .replace(/[\u0000-\u001f\u007f]/g, '')
        .trim(),
    );
    const name = fc.stringMatching(/^X-[A-Za-z0-9]{1,10}$/);
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value)), fc.uint8Array({ maxLength: 200 }), (fields, body) => {
        const message = SipMessage.request('MESSAGE', 'sip:b@lab.test');
        for (const [header, text] of fields) message.headers.add(header, text);
        message.body = body;
        const read = parseSipMessage(serialiseSipMessage(message));
        expect(read.headers.fields.slice(0, -1)).toEqual(fields.map(([n, v]) => ({ name: n, value: v })));
        expect(read.body).toEqual(body);
      }),
    );
  });

  test('mutated bytes give a message or a typed error', () => {
    const bytes = utf8(example);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.uint8Array({ minLength: 1, maxLength: 4 }), (at, change) => {
        const mutated = bytes.slice();
        mutated.set(change.subarray(0, mutated.length - at), at);
        try {
          checkMandatoryHeaders(parseSipMessage(mutated));
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('SIP header values', () => {
  test('splits lists outside quotes and brackets', () => {
    expect(splitHeaderList('"a, \\"b" <sip:x,y@z>;q=1, <sip:c>,, tls;q=0.2')).toEqual([
      '"a, \\"b" <sip:x,y@z>;q=1',
      '<sip:c>',
      'tls;q=0.2',
    ]);
  });

  test('reads and writes name-addr', () => {
    const address = parseNameAddress('"A \\"x\\" <b>" <sip:a@b;lr>;Tag=1;ob');
    expect(address.displayName).toBe('A "x" <b>');
    expect(address.uri).toBe('sip:a@b;lr');
    expect([...address.parameters]).toEqual([
      ['tag', '1'],
      ['ob', undefined],
    ]);
    expect(formatNameAddress(address)).toBe('"A \\"x\\" <b>" <sip:a@b;lr>;tag=1;ob');
    expect(parseNameAddress('sip:a@b;tag=2').parameters.get('tag')).toBe('2');
    expect(parseNameAddress('Alice <tel:+1>').displayName).toBe('Alice');
    for (const wrong of ['', '<>', '<sip:a', 'a b', '"x <sip:a@b>']) expect(() => parseNameAddress(wrong)).toThrow();
    expect(parseNameAddress(' "Alice" \t <sip:a@b> ;x')).toMatchObject({ displayName: 'Alice', uri: 'sip:a@b' });
    const started = performance.now();
    expect(() => parseNameAddress(`a${' '.repeat(60_000)}b`)).toThrow();
    // Over a second when the blanks are tried from each of their places.
    expect(performance.now() - started).toBeLessThan(200);
  });

  test('reads and writes Via, CSeq and SIP URIs', () => {
    const via = parseVia('SIP / 2.0 / tls  [::1] : 5061 ;branch=z9hG4bK1;rport');
    expect(formatVia(via)).toBe('SIP/2.0/TLS [::1]:5061;branch=z9hG4bK1;rport');
    expect(parseCSeq('12 INVITE')).toEqual({ number: 12, method: 'INVITE' });
    expect(() => parseCSeq('4294967296 INVITE')).toThrow();
    const uri = parseSipUri('SIP:alice:secret@LAB.test:5061;transport=tls;ob?subject=x');
    expect(formatSipUri(uri)).toBe('sip:alice@lab.test:5061;transport=tls;ob');
    expect(problem(() => parseSipUri('tel:+123')).hint.sip).toBe(416);
    expect(problem(() => parseSipUri('sip:a@b c')).hint.sip).toBe(400);
  });
});

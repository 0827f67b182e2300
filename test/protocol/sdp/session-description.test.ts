import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { ProtocolError } from '../../../src/base/errors.ts';
import {
  attributeValues,
  connectionAddress,
  formatSdp,
  mediaLine,
  parseSdp,
  readMsrpMedia,
  refusedMedia,
  withAttribute,
  withConnectionAddress,
  withMediaLine,
  withoutAttribute,
} from '../../../src/protocol/sdp/index.ts';

const lines = (...all: string[]): string => all.map((line) => `${line}\r\n`).join('');
const head = ['v=0', 'o=- 1 1 IN IP4 192.0.2.1', 's=-', 'c=IN IP4 192.0.2.1', 't=0 0'];

describe('parseSdp and formatSdp', () => {
  it('keeps every line in its place, repeated fingerprints included', () => {
    const text = lines(
      ...head,
      'a=group:BUNDLE x',
      'm=message 52001 TCP/TLS/MSRP *',
      'a=fingerprint:sha-1 00',
      'a=unknown',
      'a=fingerprint:sha-256 11',
      'm=audio 0 RTP/AVP 0 8',
    );
    const sdp = parseSdp(text);
    expect(formatSdp(sdp)).toBe(text);
    expect(sdp.media).toHaveLength(2);
    expect(attributeValues(sdp.media[0]!.lines, 'fingerprint')).toEqual(['sha-1 00', 'sha-256 11']);
  });

  it('takes bare line feeds and blank lines at the end', () => {
    expect(formatSdp(parseSdp(`${head.join('\n')}\n\r\n\n`))).toBe(lines(...head));
  });

  it.each([
    ['no version', lines('o=- 1 1 IN IP4 1.1.1.1', 's=-'), 'sdp.v', 0],
    ['another version', lines('v=1', 'o=x', 's=-'), 'sdp.v', 0],
    ['no origin', lines('v=0', 's=-'), 'sdp.o', 0],
    ['not a line', lines('v=0', 'nonsense'), 'sdp', 5],
    ['a type letter that nobody knows', lines('v=0', 'q=1'), 'sdp.q', 5],
    ['a session line inside media', lines(...head, 'm=message 9 TCP/MSRP *', 's=-'), 'sdp.s', 87],
    ['a port above 65535', lines('v=0', 'm=message 65536 TCP/MSRP *'), 'sdp.m', 5],
    ['a media line without formats', lines('v=0', 'm=message 9 TCP/MSRP'), 'sdp.m', 5],
    ['an empty line in the middle', 'v=0\r\n\r\ns=-\r\n', 'sdp', 5],
    ['a NUL', 'v=0\r\ns=a\0b\r\n', 'sdp', 8],
    ['a bare CR', 'v=0\r\ns=a\rb\r\n', 'sdp', 8],
    ['nothing', '', 'sdp.v', 0],
  ])('refuses %s and says where', (_, text, field, offset) => {
    expect(() => parseSdp(text)).toThrow(
      expect.objectContaining({ kind: 'malformed', field, offset, hint: { sip: 400 } }),
    );
  });

  it('counts offsets in octets, not in characters', () => {
    expect(() => parseSdp('v=0\r\ns=é\r\nbad\r\n')).toThrow(expect.objectContaining({ offset: 11 }));
  });

  it('has limits on octets, line length, lines and media', () => {
    const limits = { octets: 1000, lineOctets: 40, lines: 10, media: 2 };
    const over =
      (text: string): (() => unknown) =>
      () =>
        parseSdp(text, limits);
    expect(over('v=0\r\n'.repeat(300))).toThrow('at most 1000 octets');
    expect(over(lines(`s=${'x'.repeat(40)}`))).toThrow('at most 40 octets');
    expect(over(lines(...Array<string>(11).fill('v=0')))).toThrow('at most 10 lines');
    expect(over(lines(...head, ...Array<string>(3).fill('m=message 9 TCP/MSRP *')))).toThrow('at most 2');
  });

  it('never writes a value with a line break', () => {
    const evil = { session: [{ type: 's', value: 'x\r\na=injected' }], media: [] };
    expect(() => formatSdp(evil)).toThrow(expect.objectContaining({ kind: 'local' }));
  });

  it('gives back what it wrote, whatever the values', () => {
    const value = fc.string({ unit: 'grapheme', maxLength: 40 }).filter((text) => !/[\r\n\0]/.test(text));
    const attributes = fc.array(value.map((text) => ({ type: 'a', value: text })));
    const media = fc.array(
      attributes.map((list) => ({ lines: [{ type: 'm', value: 'message 9 TCP/MSRP *' }, ...list] })),
      { maxLength: 4 },
    );
    const session = [
      { type: 'v', value: '0' },
      { type: 'o', value: '-' },
      { type: 's', value: '-' },
    ];
    fc.assert(
      fc.property(attributes, media, (list, sections) => {
        const description = { session: [...session, ...list], media: sections };
        expect(parseSdp(formatSdp(description))).toEqual(description);
      }),
    );
  });

  it('answers any octets with a description or a typed error', () => {
    const valid = utf8(
      lines(
        ...head,
        'm=message 9 TCP/TLS/MSRP *',
        'a=path:msrps://a:1/x;tcp',
        'a=setup:active',
        'a=key-mgmt:mikey AAAA',
      ),
    );
    const mutation = fc.tuple(fc.nat(valid.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(mutation, { maxLength: 8 }), (mutations) => {
        const bytes = valid.slice();
        for (const [offset, octet] of mutations) bytes[offset] = octet;
        try {
          const description = parseSdp(bytes);
          for (const section of description.media) readMsrpMedia(section, description);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('editing', () => {
  const sdp = parseSdp(lines(...head, 'm=message 9 TCP/TLS/MSRP *', 'i=chat', 'a=x:1', 'a=y', 'a=x:2'));
  const section = sdp.media[0]!;

  it('replaces, removes and adds attributes', () => {
    expect(attributeValues(withAttribute(section, 'x', '3').lines, 'x')).toEqual(['3']);
    expect(attributeValues(withoutAttribute(section, 'x').lines, 'x')).toEqual([]);
    expect(withAttribute(section, 'flag').lines.at(-1)).toEqual({ type: 'a', value: 'flag' });
  });

  it('changes protocol, port and address in place', () => {
    const changed = withConnectionAddress(withMediaLine(section, { protocol: 'TCP/MSRP', port: 7 }), '2001:db8::1');
    expect(changed.lines.slice(0, 3).map(({ type, value }) => `${type}=${value}`)).toEqual([
      'm=message 7 TCP/MSRP *',
      'i=chat',
      'c=IN IP6 2001:db8::1',
    ]);
    expect(connectionAddress(changed, sdp)).toBe('2001:db8::1');
    expect(connectionAddress(section, sdp)).toBe('192.0.2.1');
  });

  it('refuses a stream in its place with port 0', () => {
    expect(mediaLine(refusedMedia(section))).toEqual({
      media: 'message',
      port: 0,
      protocol: 'TCP/TLS/MSRP',
      formats: ['*'],
    });
  });
});

import { describe, expect, it } from 'vitest';
import { ProtocolError } from '../../../src/base/errors.ts';
import { formatMsrpUri, parseMsrpUri, sameMsrpSession, sameMsrpUri } from '../../../src/protocol/msrp/index.ts';

describe('MSRP URI', () => {
  it.each([
    'msrp://alicepc.example.com:7777/iau39soe2843z;tcp',
    'msrps://bob.example.com:8888/9di4eae923wzd;tcp',
    'msrp://192.0.2.7:9/a.b_c~d+e=f/g;tcp;foo=bar;flag',
    'msrps://[2001:db8::1]:2855/s;tcp',
    'msrp://relay.example.com;tcp',
    'msrp://user%40x@host.example:1/s;tcp',
  ])('%s survives reading and writing', (text) => {
    expect(formatMsrpUri(parseMsrpUri(text))).toBe(text);
  });

  it.each([
    '',
    'http://a:1/s;tcp',
    'msrp:/a:1/s;tcp',
    'msrp://a:1/s',
    'msrp://:1/s;tcp',
    'msrp://a:99999/s;tcp',
    'msrp://a:1/s ;tcp',
    'msrp://a:1/s;t<p',
    `msrp://${'@'.repeat(5000)}`,
  ])('%s is refused with field and offset', (text) => {
    const attempt = (): unknown => parseMsrpUri(text, 'To-Path', 17);
    expect(attempt).toThrow(ProtocolError);
    expect(attempt).toThrow(/msrp\.To-Path at offset 17/);
  });

  // RFC 4975 section 6.1.
  it.each([
    ['msrp://A.example:1/s;tcp', 'msrp://a.EXAMPLE:1/s;TCP', true],
    ['msrp://u@a.example:1/s;tcp', 'msrp://a.example:1/s;tcp', true],
    ['msrp://[2001:db8:0::1]:1/s;tcp', 'msrp://[2001:DB8::1]:1/s;tcp', true],
    ['msrp://%61.example:1/s;tcp', 'msrp://a.example:1/s;tcp', true],
    ['msrp://a.example:1/s;tcp', 'msrp://a.example:1/S;tcp', false],
    ['msrp://a.example:1/s;tcp', 'msrp://a.example/s;tcp', false],
    ['msrp://a.example:1/s;tcp', 'msrp://a.example:2/s;tcp', false],
    ['msrp://a.example:1/s;tcp', 'msrp://a.example:1;tcp', false],
    ['msrp://a.example:1/s;tcp', 'msrp://a.example:1/s;ws', false],
    ['msrp://a.example:1/s;tcp', 'msrps://a.example:1/s;tcp', false],
  ])('%s and %s are the same: %s', (a, b, expected) => {
    expect(sameMsrpUri(parseMsrpUri(a), parseMsrpUri(b))).toBe(expected);
  });

  it('names the same session whatever the scheme, as a middlebox may change the transport', () => {
    expect(sameMsrpSession(parseMsrpUri('msrp://a.example:1/s;tcp'), parseMsrpUri('msrps://a.example:1/s;tcp'))).toBe(
      true,
    );
  });
});

import { describe, expect, it } from 'vitest';
import { ProtocolError } from '../../../src/base/errors.ts';
import { assertedIdentity, kmsUserIdentity, tryKmsUserIdentity } from '../../../src/protocol/sip/identities.ts';

describe('kmsUserIdentity', () => {
  it.each([
    ['sip:alice@lab.test', 'sip:alice@lab.test'],
    ['SIPS:Alice@LAB.Test:5061;transport=tls;gr=urn:uuid:1?subject=x@y', 'sip:Alice@lab.test'],
    ['sip:alice:password@lab.test', 'sip:alice@lab.test'],
    ['sip:%61lice%2fhome%40x@lab.test', 'sip:alice%2Fhome%40x@lab.test'],
    ['sip:bob@[2001:DB8::1]:5060', 'sip:bob@[2001:db8::1]'],
    ['sip:+4912345@lab.test;user=phone', 'sip:+4912345@lab.test'],
    ['tel:+49-(123).45;phone-context=x', 'tel:+4912345'],
    ['TEL:+4912345', 'tel:+4912345'],
  ])('%s becomes %s', (uri, expected) => {
    expect(kmsUserIdentity(uri)).toBe(expected);
    expect(kmsUserIdentity(expected)).toBe(expected);
  });

  it.each(['sip:lab.test', 'sip:@lab.test', 'sip:a b@lab.test', 'sip:a@', 'tel:112', 'mailto:a@b', '', 'sip:a@b@c'])(
    'refuses %s',
    (uri) => {
      expect(() => kmsUserIdentity(uri)).toThrow(ProtocolError);
      expect(tryKmsUserIdentity(uri)).toBeUndefined();
    },
  );
});

it('prefers the SIP identity that the network asserts', () => {
  expect(assertedIdentity(['<tel:+1>', '"A" <sip:a@b>'])).toBe('sip:a@b');
  expect(assertedIdentity(['<tel:+1>', 'garbage'])).toBe('tel:+1');
  expect(assertedIdentity([])).toBeUndefined();
});

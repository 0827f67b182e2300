import { expect, it } from 'vitest';

import { toHex, utf8 } from '../../src/base/bytes.ts';
import { constantTimeEqual } from '../../src/crypto/constant-time.ts';
import { hmacSha1, hmacSha256, md5, sha1, sha256, sha384, sha512, sha512Half } from '../../src/crypto/digest.ts';
import { secureRandom } from '../../src/crypto/random.ts';

it('hashes "abc" as RFC 1321 and FIPS 180-4 do', () => {
  const abc = utf8('abc');
  expect(toHex(md5(abc))).toBe('900150983cd24fb0d6963f7d28e17f72');
  expect(toHex(sha1(abc))).toBe('a9993e364706816aba3e25717850c26c9cd0d89d');
  expect(toHex(sha256(abc))).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  expect(toHex(sha384(abc)).slice(0, 32)).toBe('cb00753f45a35e8bb5a03d699ac65007');
  expect(toHex(sha512(abc)).slice(0, 32)).toBe('ddaf35a193617abacc417349ae204131');
  expect(toHex(sha512Half(abc))).toBe('53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23');
});

it('authenticates over the concatenation of the parts (RFC 2202 and RFC 4231, case 2)', () => {
  expect(toHex(hmacSha1(utf8('Jefe'), utf8('what do ya want '), utf8('for nothing?')))).toBe(
    'effcdf6ae5eb2fa2d27416d5f184df9c259a7c79',
  );
  expect(toHex(hmacSha256(utf8('Jefe'), utf8('what do ya want for nothing?')))).toBe(
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  );
});

it('compares by content and length', () => {
  expect(constantTimeEqual(utf8('same'), utf8('same'))).toBe(true);
  expect(constantTimeEqual(utf8('same'), utf8('some'))).toBe(false);
  expect(constantTimeEqual(utf8('same'), utf8('sam'))).toBe(false);
});

it('gives as many fresh octets as asked for', () => {
  const first = secureRandom.bytes(32);
  expect(first).toHaveLength(32);
  expect(toHex(first)).not.toBe(toHex(secureRandom.bytes(32)));
});

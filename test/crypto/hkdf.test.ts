import { describe, expect, test } from 'vitest';
import { fromHex, toHex, utf8 } from '../../src/base/bytes.ts';
import { SecretBytes } from '../../src/base/secret-bytes.ts';
import { deriveKey, hkdfSha256 } from '../../src/crypto/hkdf.ts';
import { createSegmentCipher } from '../../src/crypto/segment-cipher.ts';

describe('HKDF with SHA-256', () => {
  // RFC 5869 appendices A.1 and A.3; the first 32 octets of their OKM.
  test.each([
    [
      '0b'.repeat(22),
      '000102030405060708090a0b0c',
      'f0f1f2f3f4f5f6f7f8f9',
      '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf',
    ],
    ['0b'.repeat(22), '', '', '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d'],
  ])('of %s with salt "%s"', (key, salt, info, expected) => {
    expect(toHex(hkdfSha256(fromHex(key), fromHex(salt), fromHex(info)))).toBe(expected);
  });

  test('another purpose, another key; no length beyond one block', () => {
    const key = new SecretBytes(new Uint8Array(32));
    const of = (purpose: string): string => deriveKey(key, purpose).use(toHex);
    expect(of('a')).toHaveLength(64);
    expect(of('a')).not.toBe(of('b'));
    expect(() => hkdfSha256(new Uint8Array(32), new Uint8Array(), new Uint8Array(), 33)).toThrow(/1 to 32/);
  });
});

test('a sealed piece opens with its additional data only, and never looks the same twice', () => {
  const cipher = createSegmentCipher(new SecretBytes(new Uint8Array(32).fill(7)));
  const sealed = cipher.seal(utf8('text'), utf8('place'));
  expect(sealed).toHaveLength(4 + 28);
  expect(toHex(cipher.open(sealed, utf8('place')))).toBe(toHex(utf8('text')));
  expect(toHex(cipher.seal(utf8('text'), utf8('place')))).not.toBe(toHex(sealed));
  expect(() => cipher.open(sealed, utf8('other'))).toThrow(/authentication failed/);
  expect(() => cipher.open(sealed.subarray(0, 20), utf8('place'))).toThrow(/authentication failed/);
});

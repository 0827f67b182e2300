import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { fromHex, toHex, utf8 } from '../../src/base/bytes.ts';
import { ProtocolError } from '../../src/base/errors.ts';
import {
  aesCtr,
  aesGcmOpen,
  aesGcmSeal,
  aesKeyUnwrap,
  aesKeyUnwrapWithIv,
  aesKeyWrap,
  aesKeyWrapWithIv,
} from '../../src/crypto/aes.ts';

const standardIv = fromHex('a6a6a6a6a6a6a6a6');
const wrapVectors = [
  // RFC 3394 4.1, 4.3, 4.6
  {
    kek: '000102030405060708090a0b0c0d0e0f',
    key: '00112233445566778899aabbccddeeff',
    wrapped: '1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5',
  },
  {
    kek: '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f',
    key: '00112233445566778899aabbccddeeff',
    wrapped: '64e8c3f9ce0f5ba263e9777905818a2a93c8191e7d6e8ae7',
  },
  {
    kek: '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f',
    key: '00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f',
    wrapped: '28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21',
  },
];

const octets = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const blocks = fc.uint8Array({ minLength: 16, maxLength: 120 }).map((all) => all.subarray(0, all.length & ~7));

describe('AES key wrap', () => {
  it.each(wrapVectors)('wraps and unwraps as RFC 3394 section 4 ($wrapped)', ({ kek, key, wrapped }) => {
    expect(toHex(aesKeyWrap(fromHex(kek), fromHex(key)))).toBe(wrapped);
    expect(toHex(aesKeyUnwrap(fromHex(kek), fromHex(wrapped)))).toBe(key);
    expect(toHex(aesKeyWrapWithIv(fromHex(kek), standardIv, fromHex(key)))).toBe(wrapped);
    expect(toHex(aesKeyUnwrapWithIv(fromHex(kek), standardIv, fromHex(wrapped)))).toBe(key);
  });

  it('gives back the key under the same initial value only', () => {
    fc.assert(
      fc.property(octets(16), octets(8), octets(8), blocks, (kek, iv, otherIv, key) => {
        const wrapped = aesKeyWrapWithIv(kek, iv, key);
        expect(toHex(aesKeyUnwrapWithIv(kek, iv, wrapped))).toBe(toHex(key));
        if (toHex(iv) !== toHex(otherIv))
          expect(() => aesKeyUnwrapWithIv(kek, otherIv, wrapped)).toThrow(ProtocolError);
      }),
    );
  });

  it('refuses a changed octet or a wrong length with a typed error', () => {
    const { kek, wrapped } = wrapVectors[0]!;
    const changed = fromHex(wrapped);
    changed[3]! ^= 1;
    expect(() => aesKeyUnwrap(fromHex(kek), changed)).toThrow(ProtocolError);
    expect(() => aesKeyUnwrap(fromHex(kek), changed.subarray(1))).toThrow(ProtocolError);
    expect(() => aesKeyUnwrap(fromHex(kek), new Uint8Array(16))).toThrow(ProtocolError);
    expect(() => aesKeyWrap(fromHex(kek), new Uint8Array(8))).toThrow(ProtocolError);
  });
});

describe('AES-GCM', () => {
  it('fits test case 4 of the GCM specification', () => {
    const key = fromHex('feffe9928665731c6d6a8f9467308308');
    const nonce = fromHex('cafebabefacedbaddecaf888');
    const additional = fromHex('feedfacedeadbeeffeedfacedeadbeefabaddad2');
    const plaintext = fromHex(
      'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39',
    );
    const { ciphertext, tag } = aesGcmSeal(key, nonce, plaintext, additional);
    expect(toHex(tag)).toBe('5bc94fbc3221a5db94fae95ae7121a47');
    expect(toHex(ciphertext).startsWith('42831ec2217774244b7221b784d0d49c')).toBe(true);
    expect(toHex(aesGcmOpen(key, nonce, ciphertext, tag, additional))).toBe(toHex(plaintext));
  });

  it('opens nothing that was changed or has a shortened tag', () => {
    const key = new Uint8Array(32);
    const nonce = new Uint8Array(12);
    const { ciphertext, tag } = aesGcmSeal(key, nonce, utf8('text'));
    const flipped = Uint8Array.from(ciphertext);
    flipped[0]! ^= 1;
    expect(() => aesGcmOpen(key, nonce, flipped, tag)).toThrow(ProtocolError);
    expect(() => aesGcmOpen(key, nonce, ciphertext, tag.subarray(0, 12))).toThrow(ProtocolError);
    expect(() => aesGcmOpen(key, nonce, ciphertext, tag, utf8('more'))).toThrow(ProtocolError);
  });
});

it('counter mode fits NIST SP 800-38A F.5.5', () => {
  const key = fromHex('603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4');
  const iv = fromHex('f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff');
  expect(toHex(aesCtr(key, iv, fromHex('6bc1bee22e409f96e93d7e117393172a')))).toBe('601ec313775789a5b7a7f504bbf3d228');
});

import fc from 'fast-check';
import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { toBase64, toHex, utf8 } from '../../../src/base/bytes.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import {
  akaDigestPassword,
  bootstrappingKey,
  decodeAkaNonce,
  decodeAuts,
  encodeAkaNonce,
  encodeAuts,
  formatBtid,
  gbaDigestKs,
  gbaDigestPassword,
  gbaKdf,
  hashedCredentials,
  ksNaf,
  nafId,
  parseBtid,
} from '../../../src/protocol/gba/index.ts';

const seed = 33_220;
const sequence = (length: number, start: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (start + i) % 256);
const secret = (bytes: Uint8Array): SecretBytes => new SecretBytes(bytes);
const shown = (bytes: SecretBytes): string => bytes.use(toHex);
const malformed: unknown = expect.objectContaining({ name: 'ProtocolError', kind: 'malformed' });

describe('Ks_NAF', () => {
  const common = { ks: secret(sequence(32, 0x10)), impi: 'alice@ims.example.com', nafId: nafId('kms.example.com') };

  // profile 8
  it('of gba-me is that of the profile', () => {
    const key = ksNaf({ ...common, bootstrapping: { mode: 'gba-me', rand: sequence(16, 0x50) } });
    expect(shown(key)).toBe('e91a00daa1c2eb2d8e9195e1eda18966d4a1e4533d56f01229aa8cd11ea3ce30');
  });

  it('of gba-digest is that of the profile', () => {
    const key = ksNaf({ ...common, bootstrapping: { mode: 'gba-digest', nonce: 'bm9uY2U=' } });
    expect(shown(key)).toBe('dcba987b9b4394c897e9753eed95c5fd65bea6191c72ff9dad38ffb17fb64c97');
  });

  it('takes Ks from CK and IK', () => {
    expect(shown(bootstrappingKey(secret(sequence(16, 0x10)), secret(sequence(16, 0x20))))).toBe(shown(common.ks));
  });

  it('names the KMS by its host in lower case', () => {
    expect(toHex(nafId('KMS.example.com'))).toBe(`${toHex(utf8('kms.example.com'))}0100000006`);
    expect(() => nafId('kms.example.com', new Uint8Array(4))).toThrow(expect.objectContaining({ kind: 'local' }));
  });

  it('refuses a RAND of another size and parameters that have no length', () => {
    const local: unknown = expect.objectContaining({ kind: 'local' });
    expect(() => ksNaf({ ...common, bootstrapping: { mode: 'gba-me', rand: new Uint8Array(8) } })).toThrow(local);
    expect(() => gbaKdf(common.ks, new Uint8Array(65_536))).toThrow(local);
  });
});

describe('GBA_Digest', () => {
  const hashed = hashedCredentials('MD5', { username: 'u', realm: 'r', password: secret(utf8('p')) });
  const tlsKey = secret(sequence(48, 0));

  it('hashes the credentials', () => {
    // md5("u:r:p") and sha256("u:r:p"), by coreutils.
    expect(shown(hashed)).toBe('44add22b6f3179b751eafd68ee370f7d');
    const strong = hashedCredentials('SHA-256', { username: 'u', realm: 'r', password: secret(utf8('p')) });
    expect(shown(strong)).toBe('dcb021102e491e701a4a236daa8923af2161447bce7bb7260a351ee83e9f8154');
  });

  it('binds password and key to the TLS connection', () => {
    // The KDF written out: HMAC-SHA-256 over FC, then each parameter with its length.
    const key = Buffer.from(shown(hashed), 'hex');
    const tls = Buffer.from(sequence(48, 0));
    const part = (text: string): Buffer => Buffer.concat([Buffer.from(text), Buffer.from([0, text.length])]);
    const tlsPart = Buffer.concat([tls, Buffer.from([0, 48])]);
    const hmac = (...parts: Buffer[]): string =>
      createHmac('sha256', key)
        .update(Buffer.concat([Buffer.from([1]), ...parts]))
        .digest('hex');
    const response = '6629fae49393a05397450978507c4ef1';
    expect(shown(gbaDigestPassword(hashed, tlsKey))).toBe(hmac(part('GBA_Digest_RESP'), tlsPart));
    expect(shown(gbaDigestKs(hashed, tlsKey, response))).toBe(hmac(part('GBA_Digest_Ks'), tlsPart, part(response)));
  });

  it('refuses a TLS key of another size', () => {
    const short = secret(new Uint8Array(47));
    expect(() => gbaDigestPassword(hashed, short)).toThrow(expect.objectContaining({ kind: 'local' }));
    expect(() => gbaDigestKs(hashed, short, 'x')).toThrow(expect.objectContaining({ kind: 'local' }));
  });
});

describe('AKA Digest', () => {
  const keys = { res: secret(sequence(8, 0xf0)), ck: secret(sequence(16, 0x10)), ik: secret(sequence(16, 0x30)) };

  it('takes the octets of RES for password in version 1', () => {
    expect(shown(akaDigestPassword('AKAv1-MD5', keys))).toBe(toHex(sequence(8, 0xf0)));
  });

  it.each([
    ['AKAv2-MD5', 'md5'],
    ['AKAv2-SHA-256', 'sha256'],
  ] as const)('hashes RES, IK and CK for %s', (algorithm, hash) => {
    const key = Buffer.concat([sequence(8, 0xf0), sequence(16, 0x30), sequence(16, 0x10)]);
    const expected = createHmac(hash, key).update('http-digest-akav2-password').digest('base64');
    expect(akaDigestPassword(algorithm, keys).use((octets) => Buffer.from(octets).toString())).toBe(expected);
  });

  it('reads the nonces that it writes', () => {
    const bytes = (minLength: number, maxLength = minLength): fc.Arbitrary<Uint8Array> =>
      fc.uint8Array({ minLength, maxLength });
    fc.assert(
      fc.property(bytes(16), bytes(16), bytes(0, 64), (rand, autn, serverData) => {
        expect(decodeAkaNonce(encodeAkaNonce({ rand, autn, serverData }))).toEqual({ rand, autn, serverData });
      }),
      { seed },
    );
    fc.assert(
      fc.property(bytes(14), (auts) => {
        expect(decodeAuts(encodeAuts(auts))).toEqual(auts);
      }),
      { seed },
    );
  });

  it.each([
    ['', 'nothing'],
    [toBase64(new Uint8Array(31)), '31 octets'],
    ['x'.repeat(1025), 'too many characters'],
    ['?'.repeat(64), 'no base64'],
  ])('refuses the nonce %#: %s', (nonce) => {
    expect(() => decodeAkaNonce(nonce)).toThrow(malformed);
  });

  it.each(['', toBase64(new Uint8Array(13)), toBase64(new Uint8Array(15)), 'A'.repeat(2000)])(
    'refuses the auts %#',
    (auts) => {
      expect(() => decodeAuts(auts)).toThrow(malformed);
    },
  );

  it('never throws anything but a ProtocolError for a nonce', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), (nonce) => {
        try {
          expect(decodeAkaNonce(nonce).rand).toHaveLength(16);
        } catch (error) {
          expect(error).toEqual(malformed);
        }
      }),
      { seed },
    );
  });
});

describe('B-TID', () => {
  it('is base64 and the host', () => {
    const text = formatBtid({ value: sequence(16, 0), host: 'BSF.example.com' });
    expect(text).toBe('AAECAwQFBgcICQoLDA0ODw==@bsf.example.com');
    expect(parseBtid(text)).toEqual({ value: sequence(16, 0), host: 'bsf.example.com' });
  });

  it.each([
    '',
    '@bsf.example.com',
    'AAAA',
    'AAAA@',
    'AAAA@-x',
    'AAAA@a..b',
    'AA A@b c',
    '?@bsf',
    `AAAA@${'a'.repeat(600)}`,
  ])('is not %j', (text) => {
    expect(() => parseBtid(text)).toThrow(malformed);
  });

  it.each([
    { value: new Uint8Array(), host: 'bsf' },
    { value: sequence(16, 0), host: 'b s f' },
  ])('is not made of %j', (parts) => {
    expect(() => formatBtid(parts)).toThrow(expect.objectContaining({ kind: 'local' }));
  });
});

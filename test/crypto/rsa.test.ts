import { constants, createPrivateKey, createPublicKey, generateKeyPairSync, publicEncrypt } from 'node:crypto';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';

import { toHex, utf8 } from '../../src/base/bytes.ts';
import { ProtocolError } from '../../src/base/errors.ts';
import { SecretBytes } from '../../src/base/secret-bytes.ts';
import { RsaPrivateKey } from '../../src/crypto/rsa.ts';
import { makeKeys } from '../support/pki.ts';

let pkcs8: Uint8Array;
let key: RsaPrivateKey;
let other: RsaPrivateKey;

beforeAll(async () => {
  pkcs8 = (await makeKeys()).pkcs8;
  key = new RsaPrivateKey(new SecretBytes(pkcs8), 'test');
  other = new RsaPrivateKey(new SecretBytes((await makeKeys()).pkcs8), 'test');
}, 60_000);

/** Enciphers a whole block as it is, padding and all. */
function encryptBlock(block: Uint8Array): Uint8Array {
  const publicKey = createPublicKey(createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' }));
  return Uint8Array.from(publicEncrypt({ key: publicKey, padding: constants.RSA_NO_PADDING }, block));
}

function block(changes: (octets: Uint8Array) => void, secret = new Uint8Array(32).fill(7)): Uint8Array {
  const octets = new Uint8Array(256).fill(0xaa);
  octets[0] = 0;
  octets[1] = 2;
  octets[255 - secret.length] = 0;
  octets.set(secret, 256 - secret.length);
  changes(octets);
  return octets;
}

describe('encryption of a key', () => {
  it.each([16, 32])('%d octets come back', (length) => {
    const secret = Uint8Array.from({ length }, (_, index) => index);
    expect(key.decryptKey(key.publicKey.encrypt(secret), length)).toEqual(secret);
    expect(key.decryptKey(encryptBlock(block(() => undefined, secret)), length)).toEqual(secret);
  });

  it('is different each time', () => {
    const secret = new Uint8Array(16);
    expect(key.publicKey.encrypt(secret)).not.toEqual(key.publicKey.encrypt(secret));
  });

  const wrongBlocks: readonly [string, (octets: Uint8Array) => void][] = [
    ['first octet', (octets) => (octets[0] = 1)],
    ['block type', (octets) => (octets[1] = 1)],
    ['no separator', (octets) => (octets[223] = 1)],
    ['a longer key: zero before the separator', (octets) => (octets[222] = 0)],
    ['zero in the first octet of padding', (octets) => (octets[2] = 0)],
    ['zero in the eighth octet of padding', (octets) => (octets[9] = 0)],
  ];

  it.each(wrongBlocks)('wrong padding shows nowhere: %s', (_, change) => {
    const ciphertext = encryptBlock(block(change));
    const made = key.decryptKey(ciphertext, 32);
    expect(made).toHaveLength(32);
    expect(made).not.toEqual(new Uint8Array(32).fill(7));
    // The same for the same ciphertext: a fresh one each time would tell that the padding was wrong.
    expect(key.decryptKey(ciphertext, 32)).toEqual(made);
  });

  it('another length than the expected one is wrong padding', () => {
    const sixteen = key.publicKey.encrypt(new Uint8Array(16).fill(9));
    expect(key.decryptKey(sixteen, 32)).toHaveLength(32);
    expect(toHex(key.decryptKey(sixteen, 32))).not.toContain('09'.repeat(16));
    const thirtyTwo = key.publicKey.encrypt(new Uint8Array(32).fill(9));
    expect(toHex(key.decryptKey(thirtyTwo, 16))).not.toBe('09'.repeat(16));
  });

  it('any octets at all end in a key, different for each ciphertext and each holder', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 0, maxLength: 300 }), (ciphertext) => {
        const made = toHex(key.decryptKey(ciphertext, 16));
        expect(made).toHaveLength(32);
        expect(made).not.toBe(toHex(other.decryptKey(ciphertext, 16)));
        seen.add(made);
      }),
      { numRuns: 100, seed: 6043 },
    );
    expect(seen.size).toBeGreaterThan(50);
    // Larger than any modulus of this length: the library refuses it, we do not.
    expect(key.decryptKey(new Uint8Array(256).fill(0xff), 16)).toHaveLength(16);
  });

  it('refuses what does not fit', () => {
    expect(() => key.publicKey.encrypt(new Uint8Array(246))).toThrow(ProtocolError);
    expect(() => key.decryptKey(new Uint8Array(256), 33)).toThrow(ProtocolError);
  });
});

describe('signatures', () => {
  const data = utf8('covered');

  it.each([
    ['pkcs1', 'sha1'],
    ['pkcs1', 'sha256'],
    ['pss', 'sha1'],
    ['pss', 'sha256'],
  ] as const)('%s with %s', (scheme, hash) => {
    const signature = key.sign(scheme, hash, data);
    expect(signature).toHaveLength(256);
    expect(key.publicKey.verifies(scheme, hash, data, signature)).toBe(true);
    expect(other.publicKey.verifies(scheme, hash, data, signature)).toBe(false);
    expect(key.publicKey.verifies(scheme, hash, utf8('Covered'), signature)).toBe(false);
    expect(key.publicKey.verifies(scheme, hash === 'sha1' ? 'sha256' : 'sha1', data, signature)).toBe(false);
    expect(key.publicKey.verifies(scheme === 'pss' ? 'pkcs1' : 'pss', hash, data, signature)).toBe(false);
    for (const position of [0, 100, 255]) {
      const changed = Uint8Array.from(signature);
      changed[position]! ^= 1;
      expect(key.publicKey.verifies(scheme, hash, data, changed)).toBe(false);
    }
    expect(key.publicKey.verifies(scheme, hash, data, signature.subarray(1))).toBe(false);
    expect(key.publicKey.verifies(scheme, hash, data, Uint8Array.from([0, ...signature]))).toBe(false);
  });
});

describe('keys', () => {
  it.each([
    ['1024 bits', () => generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey],
    ['an elliptic curve', () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey],
    ['RSA-PSS alone', () => generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey],
  ])('refuses %s', (_, make) => {
    const der = new SecretBytes(make().export({ format: 'der', type: 'pkcs8' }));
    expect(() => new RsaPrivateKey(der, 'test')).toThrow(expect.objectContaining({ kind: 'unsupported' }));
  });

  it('refuses octets that are no key, without repeating them', () => {
    const octets = new SecretBytes(utf8('secret words'));
    let thrown: unknown;
    try {
      new RsaPrivateKey(octets, 'kms.key');
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ kind: 'local', field: 'kms.key' });
    expect(inspect(thrown, { depth: 9, showHidden: true })).not.toContain('secret words');
  });

  it('shows nothing of itself', () => {
    const text = `${inspect(key, { depth: 9, showHidden: true })} ${JSON.stringify(key)}`;
    expect(text).not.toMatch(/[0-9a-f]{16}|Uint8Array/i);
  });
});

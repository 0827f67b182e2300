import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../src/base/bytes.ts';
import { ProtocolError } from '../../src/base/errors.ts';
import { SecretBytes } from '../../src/base/secret-bytes.ts';
import { secureRandom } from '../../src/crypto/random.ts';
import { openAuthEnveloped, sealAuthEnveloped } from '../../src/protocol/cms/index.ts';
import { lackOfOpenssl } from '../support/needs/common-needs.ts';
import { needing } from '../support/needs/needs.ts';

function openssl(parameters: readonly string[], input: Uint8Array): Uint8Array {
  return Uint8Array.from(execFileSync('openssl', ['cms', ...parameters], { input, stdio: ['pipe', 'pipe', 'pipe'] }));
}

const keyIdentifier = '0102030401aabbccdd';

describe.each([
  ['AES-128-GCM', 16, '-aes-128-gcm'],
  ['AES-256-GCM', 32, '-aes-256-gcm'],
] as const)('CMS with OpenSSL, %s', needing(lackOfOpenssl), (name, keyOctets, cipher) => {
  const key = secureRandom.bytes(keyOctets);
  const secret = ['-secretkey', toHex(key), '-secretkeyid', keyIdentifier];

  it.each([0, 1, 1024, 100_000])('opens what we seal: %d octets', (length) => {
    const plaintext = secureRandom.bytes(length);
    const der = sealAuthEnveloped({
      kek: new SecretBytes(key),
      keyIdentifier: fromHex(keyIdentifier),
      plaintext,
      random: secureRandom,
    });
    expect(openssl(['-decrypt', '-inform', 'DER', '-binary', ...secret], der)).toEqual(plaintext);
  });

  it.each([1, 1024, 100_000])('seals what we open: %d octets', (length) => {
    const plaintext = secureRandom.bytes(length);
    const der = openssl(['-encrypt', cipher, '-outform', 'DER', '-binary', ...secret], plaintext);
    const opened = openAuthEnveloped(der, (asked) =>
      toHex(asked) === keyIdentifier ? new SecretBytes(key) : undefined,
    );
    expect(opened.plaintext).toEqual(plaintext);
    expect(opened.contentEncryption).toBe(name);
  });

  it('does not open a flipped bit', () => {
    const der = openssl(['-encrypt', cipher, '-outform', 'DER', '-binary', ...secret], secureRandom.bytes(50));
    der[der.length - 20]! ^= 1;
    expect(() => openAuthEnveloped(der, () => new SecretBytes(key))).toThrow(ProtocolError);
  });
});

describe('CMS of another kind from OpenSSL', needing(lackOfOpenssl), () => {
  it('is refused by name, not misread', () => {
    const der = openssl(
      ['-encrypt', '-aes-128-cbc', '-outform', 'DER', '-secretkey', '00'.repeat(16), '-secretkeyid', keyIdentifier],
      secureRandom.bytes(50),
    );
    expect(() => openAuthEnveloped(der, () => undefined)).toThrow(
      expect.objectContaining({ kind: 'unsupported', field: 'cms.contentType' }),
    );
  });
});

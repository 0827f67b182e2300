import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';

import { SecretBytes } from '../../src/base/secret-bytes.ts';
import { secureRandom } from '../../src/crypto/random.ts';
import { RsaPrivateKey } from '../../src/crypto/rsa.ts';
import { makeKeys, privateKeyPem } from '../support/pki.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { buildWithBoringSsl } from './support/boringssl.ts';
import { needing } from '../support/needs/needs.ts';

const built = buildWithBoringSsl('boringssl-rsa');
const lack = 'lack' in built ? built.lack : undefined;

describe('our RSA and BoringSSL, on which Electron stands', needing(lack), () => {
  const folder = temporaryFolder('boringssl-rsa-files');
  const write = (name: string, content: Uint8Array | string): string => {
    writeFileSync(join(folder, name), content, { mode: 0o600 });
    return join(folder, name);
  };
  const run = (...words: readonly string[]) => spawnSync('program' in built ? built.program : '', words);
  let key: RsaPrivateKey;
  let keyFile: string;

  beforeAll(async () => {
    const keys = await makeKeys();
    key = new RsaPrivateKey(new SecretBytes(keys.pkcs8), 'test');
    keyFile = write('key.pem', privateKeyPem(keys));
  }, 60_000);

  it('it deciphers a whole block as OpenSSL does, so that the padding is ours to take off', () => {
    const secret = secureRandom.bytes(32);
    const { status, stdout } = run(keyFile, 'raw', write('ciphertext', key.publicKey.encrypt(secret)));
    expect(status).toBe(0);
    expect([...stdout.subarray(0, 2)]).toEqual([0, 2]);
    expect(stdout[256 - 33]).toBe(0);
    expect(Uint8Array.from(stdout.subarray(256 - 32))).toEqual(secret);
  });

  it.each([
    ['sha1', 'pkcs1'],
    ['sha256', 'pkcs1'],
    ['sha1', 'pss'],
    ['sha256', 'pss'],
  ] as const)('it verifies %s with %s', (hash, scheme) => {
    const data = secureRandom.bytes(1000);
    const signature = write('signature', key.sign(scheme, hash, data));
    expect(run(keyFile, hash, scheme, signature, write('data', data)).status).toBe(0);
    expect(run(keyFile, hash, scheme, signature, write('data', secureRandom.bytes(1000))).status).toBe(1);
  });
});

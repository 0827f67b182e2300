import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { toHex } from '../../src/base/bytes.ts';
import { readKmsStorageConfig } from '../../src/kms/http/config-file.ts';
import { readKek } from '../../src/kms/storage/kek-source.ts';
import { openStorage, openStorageWithKek } from '../../src/kms/storage/open-storage.ts';
import { storageConfigBeside, type StorageConfig } from '../../src/kms/storage/storage-config.ts';
import { profile } from '../../src/protocol/profile.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import type { Keytar } from '../../src/node/keychain/load-keytar.ts';

const folder = temporaryFolder('kek');
const random = seededRandom('kek');
const digits = 'AB'.repeat(32);
const field = 'kms.keyEncryptionKey';

function keyFile(name: string, content: string, mode = 0o600): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

/** A keychain that keeps what it is given, or not. */
function keychain(kept: Map<string, string>, forgets = false): Pick<Keytar, 'getPassword' | 'setPassword'> {
  return {
    getPassword: (service, account) => Promise.resolve(kept.get(`${service}/${account}`) ?? null),
    setPassword: (service, account, password) => {
      if (!forgets) kept.set(`${service}/${account}`, password);
      return Promise.resolve();
    },
  };
}

describe('the key-encryption key', () => {
  it('comes from a file that only its owner can read; a new storage gets a new one', async () => {
    const file = keyFile('good', `${digits}\n`);
    expect((await readKek({ file }, { random, mayCreate: false })).use(toHex)).toBe(digits.toLowerCase());
    const fresh = join(folder, 'fresh');
    const made = await readKek({ file: fresh }, { random, mayCreate: true });
    expect(made.use(toHex)).toBe(readFileSync(fresh, 'utf8').trim());
    if (process.platform !== 'win32') expect(statSync(fresh).mode & 0o777).toBe(0o600);
    expect((await readKek({ file: fresh }, { random, mayCreate: true })).use(toHex)).toBe(made.use(toHex));
  });

  it('is never half in its file: several processes that make it at once have the same', async () => {
    const file = join(folder, 'race');
    const made = await Promise.all(Array.from({ length: 8 }, () => readKek({ file }, { random, mayCreate: true })));
    expect(new Set(made.map((kek) => kek.use(toHex))).size).toBe(1);
    expect(readdirSync(folder).filter((name) => name.startsWith('race'))).toEqual(['race']);
    if (process.platform !== 'win32') expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it.each([
    ['is missing', () => ({ file: join(folder, 'none') }), /none is missing/],
    ['can be read by its group', () => ({ file: keyFile('group', digits, 0o640) }), /others can read/],
    ['can be read by all', () => ({ file: keyFile('all', digits, 0o604) }), /others can read/],
    ['is too short', () => ({ file: keyFile('short', digits.slice(2)) }), /holds no key/],
    ['is no hexadecimal text', () => ({ file: keyFile('text', 'x'.repeat(64)) }), /holds no key/],
    ['is in no environment variable', () => ({ environment: 'TESSERA_NONE' }), /variable TESSERA_NONE is missing/],
    ['is none in its variable', () => ({ environment: 'WRONG' }), /variable WRONG holds no key/],
    ['is not in the keychain', () => ({ keychain: 'none' }), /keychain entry none is missing/],
    ['is none in the keychain', () => ({ keychain: 'wrong' }), /keychain entry wrong holds no key/],
  ])('is refused when it %s', async (_, source, problem) => {
    const kept = new Map([['Tessera KMS/wrong', 'xyz']]);
    const reading = {
      random,
      mayCreate: false,
      environment: { WRONG: 'secret-looking' },
      keychain: () => Promise.resolve(keychain(kept)),
    };
    const refused = expect(readKek(source(), reading)).rejects;
    await refused.toMatchObject({ kind: 'local', field });
    await expect(readKek(source(), reading)).rejects.toThrow(problem);
    await expect(readKek(source(), reading)).rejects.not.toThrow(/secret-looking|xyz/);
  });

  it('is not taken for missing when its file cannot be read', async () => {
    const below = { file: join(keyFile('plain', ''), 'below') };
    await expect(readKek(below, { random, mayCreate: true })).rejects.toMatchObject({ code: 'ENOTDIR' });
  });

  it('comes from the environment', async () => {
    const reading = { random, mayCreate: false, environment: { KEK: ` ${digits} ` } };
    expect((await readKek({ environment: 'KEK' }, reading)).use(toHex)).toBe(digits.toLowerCase());
  });

  it('comes from the keychain, and is made there for a new storage', async () => {
    const kept = new Map<string, string>();
    const reading = { random, mayCreate: true, keychain: () => Promise.resolve(keychain(kept)) };
    const made = await readKek({ keychain: 'kms' }, reading);
    expect(kept.get('Tessera KMS/kms')).toBe(made.use(toHex));
    const again = await readKek({ keychain: 'kms' }, { ...reading, mayCreate: false });
    expect(again.use(toHex)).toBe(made.use(toHex));
  });

  it.each([
    ['cannot be loaded', () => Promise.reject(new Error('no libsecret')), /no keychain: no libsecret/],
    ['keeps nothing', () => Promise.resolve(keychain(new Map(), true)), /does not keep/],
  ])('is refused from a keychain that %s', async (_, load, problem) => {
    const reading = { random, mayCreate: true, keychain: load };
    await expect(readKek({ keychain: 'kms' }, reading)).rejects.toThrow(problem);
  });
});

describe('the configuration of a storage', () => {
  const required = {
    identity: 'sip:kms.lab.test',
    listen: { port: 0 },
    tls: { certificateFile: 'server.pem', privateKeyFile: 'server.key' },
  };
  const read = (content: object | string) =>
    readKmsStorageConfig(keyFile('kms.json', typeof content === 'string' ? content : JSON.stringify(content)));

  it('has paths beside the file, and defaults for what it leaves out', async () => {
    const { storage, rules } = await read({ ...required, tpkFile: 'tpk.json', rules: { sessionLifetimeSeconds: 60 } });
    expect(storage).toEqual({
      storage: { sqlite: join(folder, 'kms.db') },
      keyEncryptionKey: { file: join(folder, 'kms.kek') },
      auditHeadFile: join(folder, 'kms.audit-head'),
      tpkFile: join(folder, 'tpk.json'),
      tpkRenewAfterSeconds: 30 * 24 * 3600,
      tpkAnnounceSeconds: 60,
      replayCapacity: 200_000,
    });
    expect(rules).toEqual({ ...profile.ticket, sessionLifetimeSeconds: 60 });
    const postgres = { urlEnvironment: 'URL' };
    const other = await read({ ...required, storage: { postgres }, keyEncryptionKey: { keychain: 'kms' } });
    expect(other.storage).toMatchObject({
      storage: { postgres: { urlEnvironment: 'URL', connections: 10 } },
      keyEncryptionKey: { keychain: 'kms' },
    });
  });

  it.each([
    ['text that is no JSON', '{', 'kms.config'],
    ['two places at once', { ...required, storage: { sqlite: 'a', postgres: { url: 'b' } } }, 'kms.config.storage'],
    ['no URL', { ...required, storage: { postgres: {} } }, 'kms.config.storage'],
    ['two URLs', { ...required, storage: { postgres: { url: 'a', urlEnvironment: 'b' } } }, 'kms.config.storage'],
    ['a key in the file', { ...required, keyEncryptionKey: { value: digits } }, 'kms.config.keyEncryptionKey'],
    ['a hasty rotation', { ...required, tpkAnnounceSeconds: 1 }, 'kms.config.tpkAnnounceSeconds'],
  ])('is refused with %s', async (_, content, where) => {
    const refused = read(content);
    await expect(refused).rejects.toMatchObject({ kind: 'local', field: expect.stringMatching(`^${where}`) as string });
    await expect(refused).rejects.not.toThrow(new RegExp(digits));
  });
});

describe('a configured storage', () => {
  const config = (changes: Partial<StorageConfig>): StorageConfig =>
    storageConfigBeside(folder, {
      storage: { sqlite: 'kms.db' },
      keyEncryptionKey: { file: 'kms.kek' },
      auditHeadFile: 'head',
      tpkRenewAfterSeconds: 1000,
      tpkAnnounceSeconds: 60,
      replayCapacity: 100,
      ...changes,
    });

  it('opens with the key that it was made with, and with no other', async () => {
    const first = await openStorageWithKek(config({}), random);
    await first.storage.close();
    const second = await openStorageWithKek(config({}), random);
    await second.storage.close();
    const other = keyFile('other.kek', digits);
    await expect(openStorageWithKek(config({ keyEncryptionKey: { file: other } }), random)).rejects.toMatchObject({
      field,
    });
    // A key that got lost is not made anew: it would open nothing.
    const lost = config({ keyEncryptionKey: { file: 'lost.kek' } });
    await expect(openStorageWithKek(lost, random)).rejects.toThrow(/lost.kek is missing/);
    expect(existsSync(join(folder, 'lost.kek'))).toBe(false);
  });

  it('says which environment variable is missing', async () => {
    const storage = { postgres: { urlEnvironment: 'TESSERA_NO_URL', connections: 2 } };
    await expect(openStorage(config({ storage }))).rejects.toThrow('environment variable TESSERA_NO_URL is missing');
  });

  it('in PostgreSQL that is not there fails as a storage', async () => {
    const storage = { postgres: { url: `postgres://kms@/kms?host=${encodeURIComponent(folder)}`, connections: 2 } };
    const failing = openStorageWithKek(
      config({ storage, tpkFile: 'tpk.json', keyEncryptionKey: { keychain: 'k' } }),
      random,
    );
    await expect(failing).rejects.toMatchObject({ name: 'KmsStorageError' });
  });
});

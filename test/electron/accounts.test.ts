import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Accounts } from '../../electron/accounts.ts';
import { Keychain } from '../../electron/keychain.ts';
import { fromUtf8, toHex } from '../../src/base/bytes.ts';
import type { UeConfig } from '../../src/cli/ue-config.ts';

const config: UeConfig = {
  identity: 'sip:alice@lab.test',
  privateIdentity: 'alice@lab.test',
  domain: 'lab.test',
  password: 'hunter2',
  server: { host: '127.0.0.1', port: 5061, transport: 'tls' },
  kms: { url: 'https://127.0.0.1:8443/', identity: 'sip:kms.lab.test', pskId: 'alice', psk: 'ab'.repeat(32) },
};

let folder: string;
let file: string;
/** Behaves as a keychain that outlives the run would: memory shared by the accounts of one test. */
let keychain: Keychain;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'accounts-'));
  file = join(folder, 'sub', 'accounts.json');
  keychain = new Keychain(() => Promise.reject(new Error('no keychain here')));
});

afterEach(() => rm(folder, { recursive: true }));

describe('accounts', () => {
  it('keeps secrets out of the file and puts them together again', async () => {
    await new Accounts(file, keychain).add(config);
    const text = await readFile(file, 'utf8');
    expect(text).toContain('sip:alice@lab.test');
    expect(text).not.toMatch(/hunter2|abab|password|psk"/);
    expect((await stat(file)).mode & 0o077).toBe(0);
    expect(await readdir(join(folder, 'sub'))).toEqual(['accounts.json']);

    const { ready, withoutSecrets } = await new Accounts(file, keychain).load();
    expect(withoutSecrets).toEqual([]);
    expect(ready[0]!.config).toMatchObject({ id: 'sip:alice@lab.test', policy: 'prefer-e2e' });
    expect(ready[0]!.secrets.password?.use((bytes) => fromUtf8(bytes))).toBe('hunter2');
    expect(ready[0]!.secrets.kmsPsk!.use(toHex)).toBe('ab'.repeat(32));
  });

  it('replaces an account of the same identity', async () => {
    const accounts = new Accounts(file, keychain);
    await accounts.add(config);
    await accounts.add({ ...config, displayName: 'Alice', password: 'new' });
    const { ready } = await accounts.load();
    expect(ready.map((account) => account.config.displayName)).toEqual(['Alice']);
    expect(ready[0]!.secrets.password?.use((bytes) => fromUtf8(bytes))).toBe('new');
  });

  it('names accounts whose secrets are gone and loads the others', async () => {
    const accounts = new Accounts(file, keychain);
    await accounts.add(config);
    await accounts.add({ ...config, identity: 'sip:bob@lab.test' });
    await keychain.delete('sip:alice@lab.test kms-key');
    const { ready, withoutSecrets } = await accounts.load();
    expect(withoutSecrets).toEqual(['sip:alice@lab.test']);
    expect(ready.map((account) => account.config.id)).toEqual(['sip:bob@lab.test']);
  });

  it('starts empty, and never overwrites a file that it does not understand', async () => {
    expect(await new Accounts(file, keychain).load()).toEqual({ ready: [], withoutSecrets: [] });
    const broken = join(folder, 'broken.json');
    await writeFile(broken, '{"version": 2}');
    await expect(new Accounts(broken, keychain).load()).rejects.toThrow(/not a list of accounts/);
    await expect(new Accounts(broken, keychain).add(config)).rejects.toThrow();
    expect(await readFile(broken, 'utf8')).toBe('{"version": 2}');
  });
});

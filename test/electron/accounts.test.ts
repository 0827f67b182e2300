import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Accounts } from '../../electron/accounts.ts';
import { Keychain } from '../../electron/keychain.ts';
import { fromUtf8, toBase64, toHex } from '../../src/base/bytes.ts';
import { readUeConfig, type UeConfig } from '../../src/cli/ue-config.ts';
import { issue, makeKeys, privateKeyPem } from '../support/pki.ts';

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

  it('keeps the private key of a certificate in the keychain, and asks for no file again', async () => {
    const accounts = new Accounts(file, keychain);
    const keys = await makeKeys();
    const own = await issue({ name: 'alice', keys, uris: ['sip:alice@lab.test'] });
    const ofKms = await issue({ name: 'kms', keys: await makeKeys('ec') });
    await writeFile(join(folder, 'alice.pem'), own.pem);
    await writeFile(join(folder, 'alice.key'), privateKeyPem(keys));
    await writeFile(join(folder, 'kms.pem'), ofKms.pem);
    const files = { certificateFile: 'alice.pem', privateKeyFile: 'alice.key', kmsCertificateFile: 'kms.pem' };
    const { url, identity } = config.kms!;
    const imported = { ...config, kms: { url, identity, credential: { mode: 'certificate', ...files } } };
    await writeFile(join(folder, 'ue.json'), JSON.stringify(imported));
    await accounts.add(config);
    await accounts.add(await readUeConfig(join(folder, 'ue.json')));
    for (const name of Object.values(files)) await rm(join(folder, name));

    expect(await readFile(file, 'utf8')).not.toMatch(/privateKey|PRIVATE|alice\.key/);
    const [start, middle] = [toBase64(keys.pkcs8).slice(60, 90), toBase64(keys.pkcs8).slice(800, 830)];
    expect(await readFile(file, 'utf8')).not.toContain(start);
    expect(await readFile(file, 'utf8')).not.toContain(middle);
    expect(await keychain.list()).toContain('sip:alice@lab.test kms-private-key');
    expect(await keychain.list()).not.toContain('sip:alice@lab.test kms-key');
    const { ready } = await accounts.load();
    expect(ready[0]!.config.kms?.credential).toEqual({
      mode: 'certificate',
      certificates: [own.der],
      kmsCertificate: ofKms.der,
    });
    expect(ready[0]!.secrets.kmsPrivateKey?.use(toHex)).toBe(toHex(keys.pkcs8));

    await keychain.delete('sip:alice@lab.test kms-private-key');
    expect((await accounts.load()).withoutSecrets).toEqual(['sip:alice@lab.test']);
  }, 30_000);

  it('keeps the keys of a SIM in the keychain, and drops what it replaces', async () => {
    const accounts = new Accounts(file, keychain);
    await accounts.add(config);
    const withoutPassword: UeConfig = { ...config, password: undefined };
    const k = '465b5ce8b199b49faa5f0a2ee238a6bc';
    const authentication = { mode: 'aka', k, op: 'cdc202d5123e20f62b6d676ac72cb318', amf: '8000' } as const;
    await accounts.add({ ...withoutPassword, authentication });
    expect(await readFile(file, 'utf8')).not.toMatch(/465b5ce8|cdc202d5|cd63cb71/);
    expect((await keychain.list()).toSorted()).toEqual([
      'sip:alice@lab.test kms-key',
      'sip:alice@lab.test sim-k',
      'sip:alice@lab.test sim-opc',
    ]);
    const { ready } = await accounts.load();
    expect(ready[0]!.config.authentication).toEqual({ mode: 'aka', amf: Uint8Array.of(0x80, 0) });
    expect(ready[0]!.secrets.password).toBeUndefined();
    expect(ready[0]!.secrets.sim?.k.use(toHex)).toBe(k);
    expect(ready[0]!.secrets.sim?.opc.use(toHex)).toBe('cd63cb71954a9f4e48a5994e37a02baf');

    await keychain.delete('sip:alice@lab.test sim-opc');
    expect((await accounts.load()).withoutSecrets).toEqual(['sip:alice@lab.test']);
    await accounts.add({ ...config, authentication: { mode: 'digest' } });
    expect((await accounts.load()).ready[0]!.config.authentication).toEqual({ mode: 'digest' });
    expect(await keychain.list()).not.toContain('sip:alice@lab.test sim-k');
  });

  it.each(['gba-aka', 'gba-digest'] as const)('keeps what %s needs in the keychain, and nothing else', async (mode) => {
    const accounts = new Accounts(file, keychain);
    await accounts.add(config);
    const sim = { k: '465b5ce8b199b49faa5f0a2ee238a6bc', opc: 'cd63cb71954a9f4e48a5994e37a02baf' };
    const credential = { mode, bsfUrl: 'https://127.0.0.1:8444/' };
    const kms = { url: 'https://127.0.0.1:8443/', identity: 'sip:kms.lab.test', credential };
    const bootstrapping: UeConfig = { ...config, kms, ...(mode === 'gba-aka' ? { sim } : {}) };
    await accounts.add(bootstrapping);
    expect(await readFile(file, 'utf8')).not.toMatch(/465b5ce8|cd63cb71|hunter2|psk"/);
    const kept = mode === 'gba-aka' ? ['password', 'sim-k', 'sim-opc'] : ['password'];
    expect((await keychain.list()).toSorted()).toEqual(kept.map((name) => `sip:alice@lab.test ${name}`));
    const { ready } = await accounts.load();
    expect(ready[0]!.config.kms?.credential.mode).toBe(mode);
    expect(ready[0]!.secrets.sim?.opc.use(toHex)).toBe(mode === 'gba-aka' ? sim.opc : undefined);
    await keychain.delete(`sip:alice@lab.test ${kept.at(-1) ?? ''}`);
    expect((await accounts.load()).withoutSecrets).toEqual(['sip:alice@lab.test']);
  });

  it('keeps the private key of a client certificate in the keychain, and drops what it replaces', async () => {
    const accounts = new Accounts(file, keychain);
    const keys = await makeKeys('ec');
    const own = await issue({ name: 'alice', keys });
    const clientCertificate = { certificates: own.pem, privateKey: toBase64(keys.pkcs8) };
    const server = { host: 'edge.lab.test', transport: 'wss', trust: 'pin-on-first-use', clientCertificate } as const;
    await accounts.add({ ...config, server });
    expect(await readFile(file, 'utf8')).not.toContain(toBase64(keys.pkcs8));
    const { ready } = await accounts.load();
    expect(ready[0]!.config.server).toMatchObject({ protocol: 'wss', trust: 'pin-on-first-use' });
    expect(ready[0]!.config.server.clientCertificates).toEqual([own.der]);
    expect(ready[0]!.secrets.clientPrivateKey?.use(toHex)).toBe(toHex(keys.pkcs8));

    await keychain.delete('sip:alice@lab.test client-private-key');
    expect((await accounts.load()).withoutSecrets).toEqual(['sip:alice@lab.test']);
    await accounts.add({ ...config, server });
    await accounts.add({ ...config, server: undefined });
    expect(await keychain.list()).not.toContain('sip:alice@lab.test client-private-key');
    expect((await accounts.load()).ready[0]!.config.server).toEqual({ host: 'lab.test', serverName: 'lab.test' });
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

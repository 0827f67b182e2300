import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { toHex, utf8 } from '../../../src/base/bytes.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import type { SecretStore } from '../../../src/engine/ports.ts';
import { changeStorePassphrase, openStore } from '../../../src/node/store/index.ts';
import type { StoreOptions } from '../../../src/node/store/open-store.ts';
import { storeKeyName } from '../../../src/node/store/store-key.ts';
import { chatMessage } from '../../engine/store/stored-message.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { octetsIn, snapshotOf, testKey } from './support/store-files.ts';

const passphrase = (text: string) => new SecretBytes(utf8(text));

function memorySecrets(reason?: string): SecretStore & { readonly kept: Map<string, SecretBytes> } {
  const kept = new Map<string, SecretBytes>();
  return {
    kept,
    get: (name) => Promise.resolve(kept.get(name)),
    set: (name, secret) => Promise.resolve(void kept.set(name, secret)),
    delete: (name) => Promise.resolve(void kept.delete(name)),
    list: () => Promise.resolve([...kept.keys()]),
    health: () => Promise.resolve(reason === undefined ? { usable: true } : { usable: false, reason }),
  };
}

/** Opens, adds a message where there is none, and closes. @returns its text */
async function keep(options: StoreOptions, text = 'kept'): Promise<string | undefined> {
  const { store } = await openStore(options);
  const { messages } = store.account('a');
  if (messages.count() === 0) messages.add(chatMessage('m1', { text }));
  await store.close();
  return store.keeping.kept === 'memory' ? store.keeping.reason : messagesText(options);
}

async function messagesText(options: StoreOptions): Promise<string | undefined> {
  const { store } = await openStore(options);
  const text = store.account('a').messages.get('m1')?.text;
  await store.close();
  return text;
}

/** The code with which a store is refused; the folder is then as it was. */
async function refusal(options: StoreOptions): Promise<unknown> {
  const before = snapshotOf(options.folder);
  const error = await openStore(options).then(
    () => undefined,
    (caught: unknown) => caught,
  );
  expect(snapshotOf(options.folder)).toEqual(before);
  return error instanceof Error && 'code' in error ? error.code : error;
}

describe('The key of a store', () => {
  it('is made at first use, kept in the keychain and nowhere else', async () => {
    const folder = temporaryFolder('store-keychain');
    const secrets = memorySecrets();
    expect(await keep({ folder, secrets })).toBe('kept');
    const key = secrets.kept.get(storeKeyName);
    expect(key?.length).toBe(32);
    const octets = octetsIn(folder);
    key?.use((bytes) => {
      expect([octets.includes(Buffer.from(bytes)), octets.includes(toHex(bytes))]).toEqual([false, false]);
    });
    expect(await keep({ folder, secrets, passphrase: passphrase('not needed') })).toBe('kept');
  });

  it('of another keychain is told from damage, and nothing is changed', async () => {
    const folder = temporaryFolder('store-other-keychain');
    await keep({ folder, secrets: memorySecrets() });
    const other = memorySecrets();
    other.kept.set(storeKeyName, testKey());
    expect(await refusal({ folder, secrets: other })).toBe('wrong-key');
    expect(await refusal({ folder, secrets: memorySecrets() })).toBe('key-missing');
    expect(await refusal({ folder, secrets: memorySecrets('locked') })).toBe('key-missing');
    expect(await refusal({ folder })).toBe('key-missing');
    expect(await refusal({ folder, passphrase: passphrase('a guess') })).toBe('key-missing');
    expect(await refusal({ folder, key: testKey() })).toBe('wrong-key');
  });

  it('comes from a passphrase where there is no keychain', async () => {
    const folder = temporaryFolder('store-passphrase');
    const secrets = memorySecrets('no keychain runs');
    expect(await keep({ folder, secrets, passphrase: passphrase('correct horse') })).toBe('kept');
    expect(secrets.kept.size).toBe(0);
    expect(octetsIn(folder).includes('correct horse')).toBe(false);
    expect(await refusal({ folder, secrets, passphrase: passphrase('correct house') })).toBe('wrong-key');
    expect(await refusal({ folder, secrets })).toBe('key-missing');
    // A keychain that works later does not know the key, and is not asked to.
    expect(await keep({ folder, secrets: memorySecrets(), passphrase: passphrase('correct horse') })).toBe('kept');
  });

  it('stays when the passphrase is changed', async () => {
    const folder = temporaryFolder('store-new-passphrase');
    await keep({ folder, passphrase: passphrase('old one') });
    const before = snapshotOf(folder);
    const wrong = changeStorePassphrase(folder, passphrase('wrong one'), passphrase('new one'));
    await expect(wrong).rejects.toMatchObject({ code: 'wrong-key' });
    expect(snapshotOf(folder)).toEqual(before);
    await changeStorePassphrase(folder, passphrase('old one'), passphrase('new one'));
    expect(await refusal({ folder, passphrase: passphrase('old one') })).toBe('wrong-key');
    expect(await keep({ folder, passphrase: passphrase('new one') })).toBe('kept');
    expect(snapshotOf(folder)['messages.db']).toBe(before['messages.db']);
    const plain = temporaryFolder('store-no-passphrase');
    await keep({ folder: plain, key: testKey() });
    const none = changeStorePassphrase(plain, passphrase('old one'), passphrase('new one'));
    await expect(none).rejects.toMatchObject({ code: 'key-missing' });
  });

  it('that there is none leaves messages in memory, with the reason, and no file', async () => {
    const folder = temporaryFolder('store-no-key');
    expect(await keep({ folder })).toBe('There is neither a keychain nor a passphrase for the messages');
    expect(await keep({ folder, secrets: memorySecrets('no keychain runs') })).toBe(
      'The keychain of this system cannot be used (no keychain runs), and there is no passphrase',
    );
    expect(snapshotOf(folder)).toEqual({});
  });

  it('of the wrong length is refused', async () => {
    const folder = temporaryFolder('store-short-key');
    expect(await refusal({ folder, key: new SecretBytes(new Uint8Array(31)) })).toBe('wrong-key');
  });

  it('opens a store whose key file was lost, unless it lay there only', async () => {
    const folder = temporaryFolder('store-lost-key-file');
    await keep({ folder, key: testKey() });
    rmSync(join(folder, 'messages.key'));
    expect(await refusal({ folder, key: testKey(8) })).toBe('wrong-key');
    expect(await refusal({ folder, passphrase: passphrase('a guess') })).toBe('key-missing');
    expect(await keep({ folder, key: testKey() })).toBe('kept');
    expect(existsSync(join(folder, 'messages.key'))).toBe(true);
  });

  it('whose file is damaged is not replaced', async () => {
    const folder = temporaryFolder('store-damaged-key-file');
    await keep({ folder, passphrase: passphrase('correct horse') });
    const path = join(folder, 'messages.key');
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.slice(0, -5));
    expect(await refusal({ folder, passphrase: passphrase('correct horse') })).toBe('damaged');
  });

  it('is not looked for where SQLite is missing: messages stay in memory', async () => {
    const folder = temporaryFolder('store-no-sqlite');
    const load = () => {
      throw new Error('built for another system\nwith a stack');
    };
    const reason = 'SQLite cannot be loaded on this machine (built for another system)';
    expect(await keep({ folder, key: testKey(), load })).toBe(reason);
    await keep({ folder, key: testKey() });
    expect(await refusal({ folder, key: testKey(), load })).toBe('failed');
  });
});

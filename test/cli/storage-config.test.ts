import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../src/base/log.ts';
import { openConfiguredStore, storageSchema, withStoragePaths } from '../../src/cli/storage-config.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const open = (storage?: Parameters<typeof openConfiguredStore>[0]) => openConfiguredStore(storage, silentLogger);

async function kept(storage: NonNullable<Parameters<typeof open>[0]>): Promise<unknown> {
  const first = await open(storage);
  first.notes.set('kind', 'key', 'value');
  await first.close();
  const second = await open(storage);
  const value = second.notes.get('kind', 'key');
  await second.close();
  return value;
}

describe('The storage of a configuration file', () => {
  it('is memory when there is none, with the reason', async () => {
    const store = await open();
    expect(store.keeping).toEqual({ kept: 'memory', reason: 'The configuration names no storage' });
  });

  it('is protected by the passphrase in the first line of a file', async () => {
    const folder = temporaryFolder('storage-passphrase');
    const passphraseFile = join(folder, 'passphrase');
    writeFileSync(passphraseFile, 'correct horse battery\r\nand a remark\n');
    const storage = { folder: join(folder, 'messages'), passphraseFile };
    expect(await kept(storage)).toBe('value');
    expect(readdirSync(storage.folder)).toContain('messages.db');
    writeFileSync(passphraseFile, 'correct house battery\n');
    await expect(open(storage)).rejects.toMatchObject({ name: 'StoreError', code: 'wrong-key' });
  });

  it('is protected by the key in a file', async () => {
    const folder = temporaryFolder('storage-key');
    const keyFile = join(folder, 'key');
    writeFileSync(keyFile, `${'0a'.repeat(32)}\n`);
    expect(await kept({ folder: join(folder, 'messages'), keyFile })).toBe('value');
  });

  it.each([
    ['a short passphrase', { passphraseFile: 'short' }, 'storage.passphraseFile: expected 12 characters'],
    ['a key that is none', { keyFile: 'short' }, 'storage.keyFile: expected 64 hexadecimal digits'],
    ['a file that is not there', { keyFile: 'none' }, 'storage.keyFile: cannot read'],
  ])('is refused for %s, without a word of what the file holds', async (_name, files, problem) => {
    const folder = temporaryFolder('storage-wrong');
    writeFileSync(join(folder, 'short'), 'secret');
    const opening = open(withStoragePaths({ folder: 'messages', ...files }, (path) => join(folder, path)));
    await expect(opening).rejects.toThrow(problem);
    await expect(opening).rejects.not.toThrow('secret');
    expect(readdirSync(folder)).toEqual(['short']);
  });

  it.each([
    ['neither file', { folder: 'messages' }],
    ['both files', { folder: 'messages', keyFile: 'key', passphraseFile: 'passphrase' }],
    ['no folder', { keyFile: 'key' }],
  ])('is refused with %s', (_name, storage) => {
    expect(storageSchema.safeParse(storage).success).toBe(false);
  });
});

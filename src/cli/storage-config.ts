import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { fromHex, utf8 } from '../base/bytes.ts';
import type { Logger } from '../base/log.ts';
import { SecretBytes } from '../base/secret-bytes.ts';
import { createMemoryStore, type Store } from '../engine/store/index.ts';
import { openStore, type StoreKeySources } from '../node/store/index.ts';

const leastPassphrase = 12;
const keyText = /^[0-9a-fA-F]{64}$/;

/** `storage` of a configuration file: where messages are kept. Paths are relative to that file; one of the two files is needed. */
export const storageSchema = z
  .strictObject({
    folder: z.string().min(1),
    /** Its first line is the passphrase. */
    passphraseFile: z.string().min(1).optional(),
    /** 32 octets in hexadecimal. */
    keyFile: z.string().min(1).optional(),
  })
  .refine(
    ({ passphraseFile, keyFile }) => (passphraseFile === undefined) !== (keyFile === undefined),
    'expected passphraseFile or keyFile, one of them',
  );
export type StorageConfig = z.infer<typeof storageSchema>;

/** A place for messages that cannot be used; the message names the field, never what the file holds. */
export class StorageConfigError extends Error {
  override readonly name = 'StorageConfigError';
}

/** @param beside makes a path absolute */
export function withStoragePaths(storage: StorageConfig, beside: (path: string) => string): StorageConfig {
  const { folder, passphraseFile, keyFile } = storage;
  return {
    folder: beside(folder),
    ...(passphraseFile === undefined ? {} : { passphraseFile: beside(passphraseFile) }),
    ...(keyFile === undefined ? {} : { keyFile: beside(keyFile) }),
  };
}

/**
 * The store of the headless UE; in memory when its configuration names none.
 * @throws StorageConfigError
 * @throws StoreError when messages that are there cannot be opened
 */
export async function openConfiguredStore(storage: StorageConfig | undefined, log: Logger): Promise<Store> {
  if (storage === undefined) return createMemoryStore({ reason: 'The configuration names no storage' });
  const { store, notice } = await openStore({ folder: storage.folder, log, ...(await keySource(storage)) });
  if (notice?.kind === 'missing') log.log('warn', 'store.missing', { path: notice.path });
  else if (notice !== undefined) log.log('warn', 'store.damaged', { setAside: notice.path });
  if (store.keeping.kept === 'memory') log.log('warn', 'store.memory-only', { reason: store.keeping.reason });
  return store;
}

async function keySource({ passphraseFile, keyFile }: StorageConfig): Promise<StoreKeySources> {
  if (keyFile !== undefined) {
    const text = (await readText('storage.keyFile', keyFile)).trim();
    if (!keyText.test(text))
      throw new StorageConfigError('storage.keyFile: expected 64 hexadecimal digits in the file');
    return { key: new SecretBytes(fromHex(text)) };
  }
  const [passphrase = ''] = (await readText('storage.passphraseFile', passphraseFile ?? '')).split(/\r?\n/);
  if (passphrase.length < leastPassphrase) {
    throw new StorageConfigError(
      `storage.passphraseFile: expected ${leastPassphrase} characters at least in its first line`,
    );
  }
  return { passphrase: new SecretBytes(utf8(passphrase)) };
}

async function readText(field: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new StorageConfigError(`${field}: cannot read ${file}`, { cause });
  }
}

import type { Random } from '../../base/random.ts';
import { KeyEncryptionKey } from '../key-encryption-key.ts';
import { KmsStorageError, type KmsStorage } from '../ports.ts';
import { readKek } from './kek-source.ts';
import { openPostgresStorage } from './postgres/postgres-storage.ts';
import { openSqliteStorage } from './sqlite/sqlite-storage.ts';
import type { StorageConfig, StorageLocation } from './storage-config.ts';

/**
 * Opens the configured storage.
 * @throws KmsStorageError when it cannot be reached.
 */
export async function openStorage({ storage, replayCapacity }: StorageConfig): Promise<KmsStorage> {
  if ('sqlite' in storage) return openSqliteStorage({ path: storage.sqlite, replayCapacity });
  const { postgres } = storage;
  return openPostgresStorage({ url: postgresUrl(postgres), connections: postgres.connections, replayCapacity });
}

function postgresUrl(postgres: Extract<StorageLocation, { readonly postgres: unknown }>['postgres']): string {
  if ('url' in postgres) return postgres.url;
  const url = process.env[postgres.urlEnvironment];
  if (url === undefined) throw new KmsStorageError(`environment variable ${postgres.urlEnvironment} is missing`);
  return url;
}

export interface OpenedStorage {
  readonly storage: KmsStorage;
  readonly kek: KeyEncryptionKey;
}

/**
 * Opens the configured storage with the key that its keys are wrapped under. For a new storage the key is made where its
 * source allows that.
 * @throws KmsStorageError when the storage cannot be reached; ProtocolError `local` (field `kms.keyEncryptionKey`) when
 * the key is missing or another than the storage was made with.
 */
export async function openStorageWithKek(config: StorageConfig, random: Random): Promise<OpenedStorage> {
  const storage = await openStorage(config);
  try {
    const mayCreate = (await storage.keyCheck.get()) === undefined;
    const kek = new KeyEncryptionKey(await readKek(config.keyEncryptionKey, { random, mayCreate }), random);
    await kek.checkAgainst(storage);
    return { storage, kek };
  } catch (error) {
    await storage.close();
    throw error;
  }
}

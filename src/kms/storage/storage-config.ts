import { resolve } from 'node:path';
import { z } from 'zod';

const text = z.string().min(1);
const seconds = z.int().positive();
const connections = z.int().min(2).max(100).default(10);

/** The part of the configuration that says where users, keys and audit are kept; paths are relative to the file. */
export const storageConfigShape = {
  storage: z
    .union([
      z.strictObject({ sqlite: text }),
      z.strictObject({
        postgres: z.union([
          /** `postgres://user:password@host/database`; without a password that of PGPASSWORD or ~/.pgpass is used. */
          z.strictObject({ url: text, connections }),
          /** Name of an environment variable that holds the URL. */
          z.strictObject({ urlEnvironment: text, connections }),
        ]),
      }),
    ])
    .default({ sqlite: 'kms.db' }),
  keyEncryptionKey: z
    .union([z.strictObject({ file: text }), z.strictObject({ environment: text }), z.strictObject({ keychain: text })])
    .default({ file: 'kms.kek' }),
  auditHeadFile: text.default('kms.audit-head'),
  /** Where ticket protection keys were kept by earlier versions: they are taken over when the file is there. */
  tpkFile: text.optional(),
  tpkRenewAfterSeconds: seconds.default(30 * 24 * 3600),
  tpkAnnounceSeconds: seconds.min(30).default(60),
  replayCapacity: z.int().positive().default(200_000),
};

export type StorageConfig = z.output<z.ZodObject<typeof storageConfigShape>>;
export type StorageLocation = StorageConfig['storage'];
export type KekSource = StorageConfig['keyEncryptionKey'];

/** Only what belongs to storage, with absolute paths. */
export function storageConfigBeside(folder: string, config: StorageConfig): StorageConfig {
  const beside = (path: string): string => resolve(folder, path);
  const { storage, keyEncryptionKey, auditHeadFile, tpkFile, tpkRenewAfterSeconds, tpkAnnounceSeconds } = config;
  return {
    tpkRenewAfterSeconds,
    tpkAnnounceSeconds,
    replayCapacity: config.replayCapacity,
    storage: 'sqlite' in storage ? { sqlite: beside(storage.sqlite) } : storage,
    keyEncryptionKey: 'file' in keyEncryptionKey ? { file: beside(keyEncryptionKey.file) } : keyEncryptionKey,
    auditHeadFile: beside(auditHeadFile),
    ...(tpkFile === undefined ? {} : { tpkFile: beside(tpkFile) }),
  };
}

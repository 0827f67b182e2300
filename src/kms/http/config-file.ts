import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { ProtocolError } from '../../base/errors.ts';
import type { GrantRules } from '../../protocol/mikey/index.ts';
import { profile } from '../../protocol/profile.ts';
import type { KmsConfig } from '../config.ts';
import { storageConfigBeside, storageConfigShape, type StorageConfig } from '../storage/storage-config.ts';
import { frontConfigShape, readFrontConfig, type FrontConfig } from './front-config.ts';
import { gbaConfigShape, readGbaConfig, type GbaConfig } from './gba-config.ts';
import { publicKeySchema, readPublicKeyFiles } from './public-key-files.ts';
import { readTextFile } from './text-file.ts';
import { readUserEntry, userEntrySchema } from './user-entry.ts';

const seconds = z.int().positive();

const configSchema = z.strictObject({
  identity: z.string().min(1),
  /** Added to the storage at start, unless it knows them. */
  users: z.array(userEntrySchema).default([]),
  publicKey: publicKeySchema.optional(),
  rules: z
    .strictObject({
      startsBeforeIssueSeconds: seconds.optional(),
      sessionLifetimeSeconds: seconds.optional(),
      messageLifetimeSeconds: seconds.optional(),
      rekeyingSeconds: seconds.optional(),
      suppliedKeys: z.boolean().optional(),
      reuse: z.boolean().optional(),
      ticketsMadeByUsers: z.boolean().optional(),
    })
    .optional(),
  ...frontConfigShape,
  ...gbaConfigShape,
  ...storageConfigShape,
});

/** What `npm run kms` needs; paths are absolute. */
export interface KmsFileConfig {
  readonly kms: KmsConfig;
  /** How it meets the network. */
  readonly front: FrontConfig;
  readonly storage: StorageConfig;
  /** The BSF whose subscribers have their keys by bootstrapping; undefined without. */
  readonly gba: GbaConfig | undefined;
  /** Lives of tickets, the profile's where the file says nothing. */
  readonly rules: GrantRules;
}

const wrongConfig = (problem: string, field: string): ProtocolError =>
  new ProtocolError('local', problem, { field: `kms.config${field === '' ? '' : `.${field}`}` });

/**
 * Reads the configuration of a KMS; paths in it are relative to the file.
 * @throws ProtocolError `local` that names the field which is wrong. Values are not repeated: they may be keys.
 */
export async function readKmsConfig(path: string): Promise<KmsFileConfig> {
  const { identity, users, publicKey, rules, gba, ...fields } = await readFields(path);
  const front = await readFrontConfig(fields, identity, dirname(path));
  const beside = (file: string): string => resolve(dirname(path), file);
  return {
    kms: {
      identity,
      users: users.map(readUserEntry),
      ...(publicKey === undefined ? {} : { publicKey: await readPublicKeyFiles(publicKey, beside) }),
      ...(rules === undefined ? {} : { rules: withoutGaps(rules) }),
    },
    front,
    gba: gba && (await readGbaConfig(gba, front.certificateFiles, dirname(path))),
    storage: storageConfigBeside(dirname(path), fields),
    rules: { ...profile.ticket, ...withoutGaps(rules ?? {}) },
  };
}

/** As `readKmsConfig`, for commands that touch only the storage: the certificate need not be there. */
export async function readKmsStorageConfig(path: string): Promise<Pick<KmsFileConfig, 'storage' | 'rules'>> {
  const { rules = {}, ...storage } = await readFields(path);
  return { storage: storageConfigBeside(dirname(path), storage), rules: { ...profile.ticket, ...withoutGaps(rules) } };
}

async function readFields(path: string): Promise<z.output<typeof configSchema>> {
  const parsed = configSchema.safeParse(parseJson(await readTextFile(path, 'kms.config')));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw wrongConfig(issue?.message ?? 'wrong', issue?.path.join('.') ?? '');
}

/** Optional fields that are absent rather than undefined. */
function withoutGaps<Fields extends object>(
  fields: Fields,
): { [Name in keyof Fields]: Exclude<Fields[Name], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [Name in keyof Fields]: Exclude<Fields[Name], undefined>;
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw wrongConfig('not JSON', '');
  }
}

import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { ProtocolError } from '../../base/errors.ts';
import type { KmsConfig } from '../config.ts';
import { publicKeySchema, readPublicKeyFiles } from './public-key-files.ts';
import { readUserEntry, userEntrySchema } from './user-entry.ts';

const seconds = z.int().positive();

const configSchema = z.strictObject({
  identity: z.string().min(1),
  listen: z.strictObject({ host: z.string().min(1).default('127.0.0.1'), port: z.int().min(0).max(65535) }),
  tls: z.strictObject({ certificateFile: z.string().min(1), privateKeyFile: z.string().min(1) }),
  tpkFile: z.string().min(1),
  users: z.array(userEntrySchema),
  publicKey: publicKeySchema.optional(),
  rules: z
    .strictObject({
      startsBeforeIssueSeconds: seconds.optional(),
      sessionLifetimeSeconds: seconds.optional(),
      messageLifetimeSeconds: seconds.optional(),
    })
    .optional(),
  tpkRenewAfterSeconds: seconds.default(30 * 24 * 3600),
});

/** What `npm run kms` needs; paths are absolute. */
export interface KmsFileConfig {
  readonly kms: KmsConfig;
  readonly listen: { readonly host: string; readonly port: number };
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly tpkFile: string;
  readonly tpkRenewAfterSeconds: number;
}

const wrongConfig = (problem: string, field: string): ProtocolError =>
  new ProtocolError('local', problem, { field: `kms.config${field === '' ? '' : `.${field}`}` });

/**
 * Reads the configuration of a KMS; paths in it are relative to the file.
 * @throws ProtocolError `local` that names the field which is wrong. Values are not repeated: they may be keys.
 */
export async function readKmsConfig(path: string): Promise<KmsFileConfig> {
  const parsed = configSchema.safeParse(parseJson(await readText(path, '')));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw wrongConfig(issue?.message ?? 'wrong', issue?.path.join('.') ?? '');
  }
  const { identity, users, publicKey, rules, listen, tls, tpkFile, tpkRenewAfterSeconds } = parsed.data;
  const beside = (file: string): string => resolve(dirname(path), file);
  return {
    kms: {
      identity,
      users: users.map(readUserEntry),
      ...(publicKey === undefined ? {} : { publicKey: await readPublicKeyFiles(publicKey, beside) }),
      ...(rules === undefined ? {} : { rules: withoutGaps(rules) }),
    },
    listen,
    certificatePem: await readText(beside(tls.certificateFile), 'tls.certificateFile'),
    privateKeyPem: await readText(beside(tls.privateKeyFile), 'tls.privateKeyFile'),
    tpkFile: beside(tpkFile),
    tpkRenewAfterSeconds,
  };
}

/** Optional fields that are absent rather than undefined. */
function withoutGaps<Fields extends object>(
  fields: Fields,
): { [Name in keyof Fields]: Exclude<Fields[Name], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [Name in keyof Fields]: Exclude<Fields[Name], undefined>;
  };
}

async function readText(path: string, field: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
    throw wrongConfig(`cannot read ${path}: ${code}`, field);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw wrongConfig('not JSON', '');
  }
}

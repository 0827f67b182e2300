import { readFile, stat } from 'node:fs/promises';
import { z } from 'zod';
import { fromHex } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { SecretBytes } from '../../base/secret-bytes.ts';
import type { TpkEntry } from '../tpk-ring.ts';

const fileSchema = z.strictObject({
  keys: z.array(
    z.strictObject({
      id: z.string().regex(/^([0-9a-f]{2})+$/),
      key: z.string().regex(/^[0-9a-f]{64}$/),
      createdAt: z.iso.datetime(),
    }),
  ),
});

const wrongFile = (problem: string, expected: string): ProtocolError =>
  new ProtocolError('local', problem, { field: 'kms.tpkFile', expected });

/**
 * The ticket protection keys of a KMS of an earlier version, oldest first; none when there is no file.
 * @throws ProtocolError `local` (field `kms.tpkFile`) when the file is readable to others or is not ours.
 */
export async function readTpkFile(path: string): Promise<readonly TpkEntry[]> {
  const text = await readOwnFile(path);
  if (text === undefined) return [];
  const parsed = fileSchema.safeParse(parseJson(text));
  if (!parsed.success) throw wrongFile('not a file of ticket protection keys', 'the file as the KMS wrote it');
  const entries = parsed.data.keys.map(({ id, key, createdAt }) => ({
    id: fromHex(id),
    key: new SecretBytes(fromHex(key)),
    createdAt: Date.parse(createdAt),
  }));
  return entries.sort((a, b) => a.createdAt - b.createdAt);
}

async function readOwnFile(path: string): Promise<string | undefined> {
  try {
    const { mode } = await stat(path);
    // Windows has no such bits: there the folder's access list decides.
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) throw wrongFile('others can read it', 'mode 0600');
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

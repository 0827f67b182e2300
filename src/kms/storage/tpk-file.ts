import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { z } from 'zod';
import { fromHex, toHex } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import { SecretBytes } from '../../base/secret-bytes.ts';
import { createTpk, type TpkEntry, type TpkRotation as StoredRotation } from '../tpk-ring.ts';

type TpkRotation = Pick<StoredRotation, 'renewAfterSeconds' | 'keepSeconds'>;

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
 * Reads the ticket protection keys, renews them when due and keeps them: tickets so outlive a restart.
 * The file is made with mode 0600; one that others can read is refused.
 * @throws ProtocolError `local` (field `kms.tpkFile`) when the file is readable to others or is not ours.
 */
export async function loadTpkFile(
  path: string,
  rotation: TpkRotation,
  random: Random,
  now: number,
): Promise<readonly TpkEntry[]> {
  const kept = await readTpks(path);
  const entries = rotateTpks(kept ?? [], rotation, random, now);
  const isChanged = entries.length !== kept?.length || entries.some((entry, index) => entry !== kept[index]);
  if (isChanged) await writeTpks(path, entries);
  return entries;
}

/** Drops keys whose last ticket has ended and adds one when the newest is old. Newest last. */
export function rotateTpks(
  entries: readonly TpkEntry[],
  { renewAfterSeconds, keepSeconds }: TpkRotation,
  random: Random,
  now: number,
): readonly TpkEntry[] {
  const sorted = [...entries].sort((a, b) => a.createdAt - b.createdAt);
  const newest = sorted.at(-1);
  const isDue = newest === undefined || now - newest.createdAt >= renewAfterSeconds * 1000;
  const all = isDue ? [...sorted, createTpk(random, now)] : sorted;
  return all.filter((_, index) => {
    const successor = all[index + 1];
    return successor === undefined || now - successor.createdAt <= keepSeconds * 1000;
  });
}

async function readTpks(path: string): Promise<readonly TpkEntry[] | undefined> {
  const text = await readOwnFile(path);
  if (text === undefined) return undefined;
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

/** Whole or not at all: a crash in between leaves the old file. */
async function writeTpks(path: string, entries: readonly TpkEntry[]): Promise<void> {
  const keys = entries.map(({ id, key, createdAt }) => ({
    id: toHex(id),
    key: key.use(toHex),
    createdAt: new Date(createdAt).toISOString(),
  }));
  const temporary = `${path}.new`;
  // What a crash or somebody else left there, a link perhaps, is not written into.
  await rm(temporary, { force: true });
  const file = await open(temporary, 'wx', 0o600);
  try {
    await file.writeFile(`${JSON.stringify({ keys }, undefined, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}

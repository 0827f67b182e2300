import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { fromUtf8, toHex, utf8 } from '../../base/bytes.ts';
import { evidence, protectionLevel } from '../../contract/index.ts';
import { sha256 } from '../../crypto/digest.ts';
import type { KeptTransfer, TransferNote } from '../../engine/files/file-storage.ts';
import { replaceFile } from '../whole-file.ts';

/** Inside the folder of received files: what is not whole yet, and what is known of it. */
export const partialFolder = '.incomplete';
/** Parts that nobody went on with for so long are removed. */
export const keptMilliseconds = 30 * 24 * 60 * 60 * 1000;
const maxNoteOctets = 64 * 1024;
const maxNotes = 1000;

const text = z.string().min(1).max(4096);
const octets = z.int().min(0);

const noteSchema = z.strictObject({
  account: text,
  id: text,
  peer: text,
  name: text,
  type: text,
  size: octets.optional(),
  hashes: z
    .array(z.strictObject({ algorithm: text, value: text }))
    .min(1)
    .max(16),
  at: z.number(),
  level: protectionLevel,
  evidence,
  isPaused: z.boolean(),
});

/** Where a part of a file is, and its note. */
export function partialPaths(folder: string, key: string): { readonly part: string; readonly note: string } {
  const name = toHex(sha256(utf8(key)));
  return {
    part: join(folder, partialFolder, `${name}.part`),
    note: join(folder, partialFolder, `${name}.json`),
  };
}

/** How notes and parts are on the disk. */
export interface PartForm {
  /** @param name of the note's file, without its ending */
  readonly write: (text: string, name: string) => string | Uint8Array;
  /** Undefined for what was not written so. */
  readonly read: (octets: Uint8Array, name: string) => string | undefined;
  /** Octets of the file in a part of this size. */
  readonly octets: (partOctets: number) => number;
}

export const plainForm: PartForm = {
  write: (text) => text,
  read: (octets) => fromUtf8(octets),
  octets: (partOctets) => partOctets,
};

/** A crash leaves the old note or the new one, whole. */
export function writeNote(path: string, note: TransferNote, form = plainForm): Promise<void> {
  return replaceFile(path, form.write(JSON.stringify(note), basename(path, '.json')));
}

/** Unfinished files of one account. Removes parts of any account that are older than 30 days. */
export async function readNotes(
  folder: string,
  account: string,
  now: number,
  form = plainForm,
): Promise<KeptTransfer[]> {
  const partials = join(folder, partialFolder);
  const names = await readdir(partials).catch(() => []);
  await sweep(partials, names, now);
  const kept: KeptTransfer[] = [];
  for (const name of names.filter((entry) => entry.endsWith('.json')).slice(0, maxNotes)) {
    const note = await readNote(join(partials, name), form);
    const part = await stat(join(partials, name.replace(/json$/, 'part'))).catch(() => undefined);
    if (note?.account === account && part?.isFile() === true) kept.push({ note, present: form.octets(part.size) });
  }
  return kept.sort((one, other) => one.note.at - other.note.at);
}

/** Undefined for one that is gone or damaged: its part is swept when its time comes. */
async function readNote(path: string, form: PartForm): Promise<TransferNote | undefined> {
  try {
    if ((await stat(path)).size > maxNoteOctets) return undefined;
    const { size, ...rest } = noteSchema.parse(
      JSON.parse(form.read(await readFile(path), basename(path, '.json')) ?? ''),
    );
    return { ...rest, size };
  } catch {
    return undefined;
  }
}

async function sweep(partials: string, names: readonly string[], now: number): Promise<void> {
  const stems = new Set(names.map((name) => name.split('.')[0] ?? ''));
  for (const stem of stems) {
    const files = names.filter((name) => name.startsWith(`${stem}.`)).map((name) => join(partials, name));
    const times = await Promise.all(
      files.map(async (file) => (await stat(file).catch(() => undefined))?.mtimeMs ?? now),
    );
    if (Math.max(...times) >= now - keptMilliseconds) continue;
    for (const file of files) await rm(file, { force: true });
  }
}

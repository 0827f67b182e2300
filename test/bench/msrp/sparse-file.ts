import { mkdtemp, open, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openFileSource } from '../../../src/node/files/file-source.ts';
import type { SentFile } from './scenario.ts';

/** A file of holes, so that reading it costs no disk, and a folder for what arrives; `remove` takes both away. */
export interface SparseFile {
  readonly file: SentFile;
  readonly remove: () => Promise<void>;
}

/** @returns why there is none when the disk has no room for what will arrive. */
export async function makeSparseFile(octets: number): Promise<SparseFile | string> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-msrp-'));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize < 1.1 * octets + 256 * 1024 * 1024) {
    await remove();
    return 'no room on the disk';
  }
  const path = join(folder, 'sparse');
  const handle = await open(path, 'w');
  await handle.truncate(octets);
  await handle.close();
  const hashes = await (await openFileSource(path)).hashes();
  const sha256 = hashes.find(({ algorithm }) => algorithm === 'sha-256')?.value ?? '';
  return { file: { path, sha256, folder }, remove };
}

import { link, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { toHex } from '../base/bytes.ts';
import { secureRandom } from '../crypto/random.ts';

/**
 * Puts a file in the place of another, readable by its owner only: a crash leaves the old one or the new one whole, and at most a draft
 * whose name begins with that of the file and ends in `.new`.
 */
export async function replaceFile(path: string, content: string | Uint8Array): Promise<void> {
  await withDraft(path, content, (draft) => rename(draft, path));
}

/**
 * Makes a file, readable by its owner only, that appears whole or not at all.
 * @returns false when one is there: it is left as it is.
 */
export async function createFile(path: string, content: string | Uint8Array): Promise<boolean> {
  try {
    // A hard link takes no name that is taken, where a rename would.
    await withDraft(path, content, (draft) => link(draft, path));
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

async function withDraft(
  path: string,
  content: string | Uint8Array,
  place: (draft: string) => Promise<void>,
): Promise<void> {
  const draft = `${path}.${toHex(secureRandom.bytes(6))}.new`;
  try {
    const file = await open(draft, 'wx', 0o600);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await place(draft);
    await syncFolder(dirname(path));
  } finally {
    await rm(draft, { force: true });
  }
}

/** Makes the new name durable; Windows knows no such call for a folder, and needs none. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { toHex, utf8 } from '../base/bytes.ts';
import { sha256 } from '../crypto/digest.ts';
import type { TicketStore } from '../engine/ports.ts';
import { replaceFile } from './whole-file.ts';

/**
 * One file for the tickets of one account, readable by its owner only. Its name tells nothing of the account.
 * @param folder of the program's state; made when it is not there.
 */
export function createTicketStore(folder: string, accountId: string): TicketStore {
  const name = toHex(sha256(utf8(`tickets of ${accountId}`))).slice(0, 32);
  const own = join(folder, 'tickets');
  const file = join(own, `${name}.tickets`);
  return {
    read: (maxOctets) => read(file, maxOctets),
    async write(sealed) {
      await mkdir(own, { recursive: true, mode: 0o700 });
      await replaceFile(file, sealed);
    },
    setAside: () => rename(file, `${file}.damaged`),
    async remove() {
      // Also what was set aside, and drafts of a program that ended while it wrote.
      for (const found of await namesIn(own)) {
        if (found.startsWith(name)) await rm(join(own, found), { force: true });
      }
    },
  };
}

async function read(file: string, maxOctets: number): Promise<Uint8Array | undefined> {
  try {
    const { size } = await stat(file);
    if (size > maxOctets) throw new Error(`the file is longer than ${maxOctets} octets`);
    const handle = await open(file, 'r');
    try {
      return Uint8Array.from(await handle.readFile());
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

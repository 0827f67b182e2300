import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { toHex, utf8 } from '../base/bytes.ts';
import { secureRandom } from '../crypto/random.ts';
import { sha256 } from '../crypto/digest.ts';
import type { TicketStore } from '../engine/ports.ts';

/**
 * One file for the tickets of one account, readable by its owner only. Its name tells nothing of the account.
 * @param folder of the program's state; made when it is not there.
 */
export function createTicketStore(folder: string, accountId: string): TicketStore {
  const name = toHex(sha256(utf8(`tickets of ${accountId}`))).slice(0, 32);
  const file = join(folder, 'tickets', `${name}.tickets`);
  return {
    read: (maxOctets) => read(file, maxOctets),
    write: (sealed) => write(file, sealed),
    setAside: () => rename(file, `${file}.damaged`),
    async remove() {
      await rm(file, { force: true });
      await rm(`${file}.damaged`, { force: true });
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

/** A temporary file, on the disk before it takes the place of the old one: a crash leaves one or the other whole. */
async function write(file: string, sealed: Uint8Array): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${toHex(secureRandom.bytes(6))}.new`;
  try {
    const handle = await open(draft, 'wx', 0o600);
    try {
      await handle.writeFile(sealed);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

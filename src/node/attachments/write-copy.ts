import { link, open, rm } from 'node:fs/promises';
import { randomId } from '../../base/random.ts';
import { secureRandom } from '../../crypto/random.ts';

/**
 * Writes octets to a new file that appears whole or not at all, readable by its owner only.
 * @throws Error with code `EEXIST` when there is one: it is left as it is.
 */
export async function writeCopy(path: string, pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void> {
  const draft = `${path}.${randomId(secureRandom, 6)}.new`;
  const file = await open(draft, 'wx', 0o600);
  try {
    for await (const piece of pieces) await file.writeFile(piece);
    await file.sync();
    await file.close();
    // A hard link takes no name that is taken, where a rename would.
    await link(draft, path);
  } finally {
    await file.close().catch(() => undefined);
    await rm(draft, { force: true });
  }
}

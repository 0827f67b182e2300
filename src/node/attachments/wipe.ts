import { open, rm, stat } from 'node:fs/promises';
import { secureRandom } from '../../crypto/random.ts';
import { keyRange } from './sealed-format.ts';

/** Overwrites the key of a sealed file, so that what the disk may still hold of it stays unreadable, then removes it. */
export async function wipe(path: string): Promise<void> {
  if ((await stat(path).catch(() => undefined)) === undefined) return;
  const file = await open(path, 'r+');
  try {
    await file.write(
      secureRandom.bytes(keyRange.end - keyRange.start),
      0,
      keyRange.end - keyRange.start,
      keyRange.start,
    );
    await file.sync();
  } finally {
    await file.close();
  }
  await rm(path, { force: true });
}

import { open, rm } from 'node:fs/promises';
import type { SecretBytes } from '../../base/secret-bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { startDigest } from '../../crypto/digest.ts';
import type { FileSource, FileStorage } from '../../engine/files/file-storage.ts';
import { hashOf, openFileSource } from '../files/file-source.ts';
import { partialPaths, readNotes, type PartForm } from '../files/transfer-notes.ts';
import { systemClock } from '../system-clock.ts';
import { writeCopy } from './write-copy.ts';
import { AttachmentKeys, plainOctets } from './sealed-format.ts';
import { readHeader, readSealed } from './sealed-reader.ts';
import { openSealedTarget, sealedEnding } from './sealed-target.ts';
import { wipe } from './wipe.ts';

/** Received files that are encrypted on this machine's disk. */
export interface SealedStorage extends FileStorage {
  /** Writes the file as it came, for any program to read: an act of the user. Nothing that is there is replaced. */
  saveCopy(path: string, to: string): Promise<void>;
  /** Removes a sealed file. Its key is overwritten first: what the disk may still hold of it stays unreadable. */
  remove(path: string): Promise<void>;
}

/**
 * @param folder where received files go; made when the first one comes
 * @param key 32 octets, that of the store or one made of it
 */
export function createSealedStorage(folder: string, key: SecretBytes): SealedStorage {
  const keys = new AttachmentKeys(key);
  const form: PartForm = {
    write: (text, name) => keys.sealNote(text, name),
    read: (octets, name) => keys.openNote(octets, name),
    octets: plainOctets,
  };
  return {
    openSource: (path) => (path.endsWith(sealedEnding) ? openSealedSource(path, keys) : openFileSource(path)),
    openTarget: (options) => openSealedTarget(folder, keys, form, options),
    async discard(transfer) {
      const { part, note } = partialPaths(folder, transfer);
      await rm(note, { force: true });
      await wipe(part);
    },
    kept: (account) => readNotes(folder, account, systemClock.now(), form),
    saveCopy: (path, to) => writeCopy(to, readSealed(path, keys)),
    async remove(path) {
      // Nothing but a file of ours is overwritten.
      await openSealedSource(path, keys);
      await wipe(path);
    },
  };
}

/** A sealed file as one that can be sent on. @throws ProtocolError field `attachment.*` or, where there is none, `file.path`. */
async function openSealedSource(path: string, keys: AttachmentKeys): Promise<FileSource> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw new ProtocolError('local', 'cannot be read', {
      field: 'file.path',
      expected: 'a file that can be read',
      cause,
    });
  });
  try {
    const { facts } = await readHeader(file, keys);
    const { size, mtimeMs } = await file.stat();
    return {
      ...facts,
      size: plainOctets(size),
      modifiedAt: Math.trunc(mtimeMs),
      read: (start) => readSealed(path, keys, start),
      async hashes() {
        const [sha256, sha1] = [startDigest('sha256'), startDigest('sha1')];
        for await (const piece of readSealed(path, keys)) {
          sha256.update(piece);
          sha1.update(piece);
        }
        return [hashOf('sha-1', sha1.finish()), hashOf('sha-256', sha256.finish())];
      },
    };
  } finally {
    await file.close();
  }
}

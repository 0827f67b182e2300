import { rm } from 'node:fs/promises';
import type { FileStorage } from '../../engine/files/file-storage.ts';
import { openFileSource } from './file-source.ts';
import { openFileTarget } from './file-target.ts';
import { systemClock } from '../system-clock.ts';
import { partialPaths, readNotes } from './transfer-notes.ts';

/** Files on this machine's disk. @param receivedFolder where received files go; made when the first one comes. */
export function createFileStorage(receivedFolder: string): FileStorage {
  return {
    openSource: openFileSource,
    openTarget: (options) => openFileTarget(receivedFolder, options),
    async discard(key) {
      const { part, note } = partialPaths(receivedFolder, key);
      await rm(note, { force: true });
      await rm(part, { force: true });
    },
    kept: (account) => readNotes(receivedFolder, account, systemClock.now()),
  };
}

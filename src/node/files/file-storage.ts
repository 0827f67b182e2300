import type { FileStorage } from '../../engine/files/file-storage.ts';
import { openFileSource } from './file-source.ts';
import { openFileTarget } from './file-target.ts';

/** Files on this machine's disk. @param receivedFolder where received files go; made when the first one comes. */
export function createFileStorage(receivedFolder: string): FileStorage {
  return {
    openSource: openFileSource,
    openTarget: (options) => openFileTarget(receivedFolder, options),
  };
}

import { concatBytes } from '../../../src/base/bytes.ts';
import { startDigest } from '../../../src/crypto/digest.ts';
import type {
  FileSource,
  FileStorage,
  FileTarget,
  FileTargetOptions,
  KeptTransfer,
  TransferNote,
} from '../../../src/engine/files/file-storage.ts';
import { hashOf } from '../../../src/node/files/file-source.ts';

/** Files of one device in memory, with a disk that can be full. */
export class MemoryFiles implements FileStorage {
  /** Files to send, by path. */
  readonly own = new Map<string, Uint8Array>();
  /** Files that came in whole, by name. */
  readonly received = new Map<string, Uint8Array>();
  readonly parts = new Map<string, Uint8Array>();
  readonly notes = new Map<string, TransferNote>();
  /** Octets that the disk takes of each file. */
  room = Infinity;
  /** Octets of a file after which the disk hangs. */
  hangsAt = Infinity;

  openSource(path: string): Promise<FileSource> {
    const bytes = this.own.get(path);
    if (bytes === undefined) return Promise.reject(new Error('no such file'));
    return Promise.resolve({
      name: path,
      size: bytes.length,
      type: 'image/png',
      modifiedAt: 0,
      hashes: () => Promise.resolve([sha256(bytes)]),
      async *read(start: number) {
        for (let at = start; at < bytes.length; at += 10_000) {
          await Promise.resolve();
          yield bytes.subarray(at, at + 10_000);
        }
      },
    });
  }

  openTarget({ key, continues, name, size = 0, hashes }: FileTargetOptions): Promise<FileTarget> {
    if (this.room < 1) return Promise.reject(diskFull());
    let bytes = continues ? (this.parts.get(key) ?? new Uint8Array()) : new Uint8Array();
    const keep = (): Promise<void> => {
      this.parts.set(key, bytes);
      return Promise.resolve();
    };
    return Promise.resolve({
      present: Math.max(0, Math.min(bytes.length, size - 1)),
      keepNote: (note) => Promise.resolve(void this.notes.set(key, note)),
      write: (position, piece) => {
        if (position + piece.length > this.room) throw diskFull();
        bytes = concatBytes(bytes.subarray(0, position), piece);
        this.parts.set(key, bytes);
        return bytes.length >= this.hangsAt ? new Promise<never>(() => undefined) : undefined;
      },
      finish: async () => {
        await this.discard(key);
        const wanted = hashes.find(({ algorithm }) => algorithm === 'sha-256');
        if (wanted?.value !== sha256(bytes).value) throw new Error('wrong hash');
        this.received.set(name, bytes);
        return { path: `/received/${name}`, hashChecked: true };
      },
      suspend: keep,
      discard: () => this.discard(key),
    });
  }

  discard(key: string): Promise<void> {
    this.parts.delete(key);
    this.notes.delete(key);
    return Promise.resolve();
  }

  kept(account: string): Promise<readonly KeptTransfer[]> {
    const kept = [...this.notes].filter(([, note]) => note.account === account);
    return Promise.resolve(kept.map(([key, note]) => ({ note, present: this.parts.get(key)?.length ?? 0 })));
  }
}

function sha256(bytes: Uint8Array) {
  const digest = startDigest('sha256');
  digest.update(bytes);
  return hashOf('sha-256', digest.finish());
}

function diskFull(): Error {
  return Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
}

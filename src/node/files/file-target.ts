import { link, mkdir, open, rename, rm, stat, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { describeError, ProtocolError } from '../../base/errors.ts';
import type { FileTarget, FileTargetOptions, FinishedFile, TransferNote } from '../../engine/files/file-storage.ts';
import { refuseFullDisk } from './free-space.ts';
import { GatheredFileWriter } from './gathered-file-writer.ts';
import { ReceivedHashes } from './received-hashes.ts';
import { numberedFileName, safeFileName } from './safe-name.ts';
import { partialFolder, partialPaths, writeNote } from './transfer-notes.ts';

export { partialFolder } from './transfer-notes.ts';

const maxNames = 10_000;

/** @throws ProtocolError `local`, field `file.folder`, when there is no room or the folder cannot be written. */
export async function openFileTarget(folder: string, options: FileTargetOptions): Promise<FileTarget> {
  const partials = join(folder, partialFolder);
  const paths = partialPaths(folder, options.key);
  const path = paths.part;
  try {
    await mkdir(partials, { recursive: true, mode: 0o700 });
    const before = await stat(path).catch(() => undefined);
    const isUsable = options.continues && before?.isFile() === true && before.size <= (options.size ?? 0);
    // At least one octet is always fetched: a connection has to prove under what protection the file came.
    const present = isUsable ? Math.max(0, Math.min(before.size, (options.size ?? 0) - 1)) : 0;
    await refuseFullDisk(folder, (options.size ?? 0) - present);
    const file = await open(path, present > 0 ? 'r+' : 'w+', 0o600);
    const target = new NodeFileTarget(folder, paths, file, options);
    await target.takeUp(present);
    return target;
  } catch (error) {
    if (error instanceof ProtocolError) throw error;
    throw new ProtocolError('local', `cannot be written (${describeError(error)})`, {
      field: 'file.folder',
      expected: 'a folder that can be written',
      cause: error,
    });
  }
}

class NodeFileTarget implements FileTarget {
  readonly #folder: string;
  readonly #path: string;
  readonly #notePath: string;
  readonly #file: FileHandle;
  readonly #options: FileTargetOptions;
  readonly #hashes: ReceivedHashes;
  #writer: GatheredFileWriter;
  #present = 0;
  #isOpen = true;

  constructor(
    folder: string,
    paths: { readonly part: string; readonly note: string },
    file: FileHandle,
    options: FileTargetOptions,
  ) {
    this.#folder = folder;
    this.#path = paths.part;
    this.#notePath = paths.note;
    this.#file = file;
    this.#options = options;
    this.#writer = new GatheredFileWriter(file, 0);
    this.#hashes = new ReceivedHashes(options);
  }

  get present(): number {
    return this.#present;
  }

  /** Hashes what an earlier attempt left, so that going on costs nothing more. */
  async takeUp(octets: number): Promise<void> {
    const buffer = Buffer.allocUnsafe(1024 * 1024);
    while (this.#hashes.position < octets) {
      const { position } = this.#hashes;
      const { bytesRead } = await this.#file.read(buffer, 0, Math.min(buffer.length, octets - position), position);
      if (bytesRead === 0) break;
      this.#hashes.add(buffer.subarray(0, bytesRead));
    }
    this.#present = this.#hashes.position;
    this.#writer = new GatheredFileWriter(this.#file, this.#present);
  }

  write(position: number, bytes: Uint8Array): void | Promise<void> {
    this.#hashes.take(position, bytes);
    return this.#writer.write(bytes);
  }

  async finish(): Promise<FinishedFile> {
    try {
      await this.#writer.drained();
      this.#hashes.check();
      await this.#file.sync();
    } catch (error) {
      await this.discard();
      throw error;
    }
    await this.#close();
    const path = await this.#giveName(safeFileName(this.#options.name));
    await rm(this.#notePath, { force: true });
    return { path, hashChecked: this.#hashes.isTrusted };
  }

  async suspend(): Promise<void> {
    if (!this.#isOpen) return;
    await this.#writer.drained().catch(() => undefined);
    await this.#file.sync().catch(() => undefined);
    await this.#close();
  }

  async discard(): Promise<void> {
    await this.#writer.drained().catch(() => undefined);
    await this.#close();
    await rm(this.#notePath, { force: true });
    await rm(this.#path, { force: true });
  }

  keepNote(note: TransferNote): Promise<void> {
    return writeNote(this.#notePath, note);
  }

  /** A link to a free name fails where the name is taken, so nothing that was there is ever replaced. */
  async #giveName(name: string): Promise<string> {
    for (let number = 1; number < maxNames; number++) {
      const path = join(this.#folder, number === 1 ? name : numberedFileName(name, number));
      try {
        await link(this.#path, path);
        await unlink(this.#path);
        return path;
      } catch (error) {
        if (codeOf(error) === 'EEXIST') continue;
        // A file system without links: the name is free as far as we can see.
        if (codeOf(error) !== 'EPERM' && codeOf(error) !== 'ENOTSUP') throw error;
        if ((await stat(path).catch(() => undefined)) !== undefined) continue;
        await rename(this.#path, path);
        return path;
      }
    }
    return wrong('file.name', 'every name is taken', 'a free name');
  }

  async #close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#file.close();
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function wrong(field: string, problem: string, expected: string): never {
  throw new ProtocolError('peer-misbehaved', problem, { field, expected });
}

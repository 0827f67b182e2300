import { constants } from 'node:fs';
import { mkdir, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { assertProtocolError, describeError, ProtocolError } from '../../base/errors.ts';
import { randomId } from '../../base/random.ts';
import { secureRandom } from '../../crypto/random.ts';
import type { FileTarget, FileTargetOptions, FinishedFile, TransferNote } from '../../engine/files/file-storage.ts';
import { refuseFullDisk } from '../files/free-space.ts';
import { ReceivedHashes } from '../files/received-hashes.ts';
import { partialFolder, partialPaths, writeNote, type PartForm } from '../files/transfer-notes.ts';
import {
  headerOctets,
  sealedSegmentOctets,
  segmentOctets,
  type AttachmentKeys,
  type FileSeal,
} from './sealed-format.ts';
import { readHeader, readSegment } from './sealed-reader.ts';
import { SealedWriter } from './sealed-writer.ts';
import { wipe } from './wipe.ts';

export const sealedEnding = '.sealed';

/** A received file that goes to the disk encrypted, segment by segment. */
export interface SealedTarget extends FileTarget {
  /** Resolves when all whole segments are on the disk, with the octets in them: they are there whatever becomes of this program. */
  settled(): Promise<number>;
}

/** @throws ProtocolError `local`, field `file.folder`, when there is no room or the folder cannot be written. */
export async function openSealedTarget(
  folder: string,
  keys: AttachmentKeys,
  form: PartForm,
  options: FileTargetOptions,
): Promise<SealedTarget> {
  const { part, note } = partialPaths(folder, options.key);
  let file: FileHandle | undefined;
  try {
    await mkdir(join(folder, partialFolder), { recursive: true, mode: 0o700 });
    const hashes = new ReceivedHashes(options);
    const { size = 0 } = options;
    const opened = await open(part, constants.O_RDWR | constants.O_CREAT, 0o600);
    file = opened;
    const before = options.continues ? await takeUp(opened, keys, hashes, size) : undefined;
    await refuseFullDisk(folder, size - hashes.position);
    const seal = before ?? (await begin(opened, keys, options));
    const segments = hashes.position / segmentOctets;
    await opened.truncate(headerOctets + segments * sealedSegmentOctets);
    return new NodeSealedTarget({ folder, part, note, file: opened, seal, hashes, form }, segments);
  } catch (error) {
    await file?.close();
    if (error instanceof ProtocolError) throw error;
    throw new ProtocolError('local', `cannot be written (${describeError(error)})`, {
      field: 'file.folder',
      expected: 'a folder that can be written',
      cause: error,
    });
  }
}

async function begin(file: FileHandle, keys: AttachmentKeys, options: FileTargetOptions): Promise<FileSeal> {
  const { name, type = 'application/octet-stream' } = options;
  const { header, seal } = keys.newFile({ name, type });
  await file.truncate(0);
  await file.write(header, 0, header.length, 0);
  return seal;
}

/**
 * Hashes the whole segments of an earlier attempt. The first that is not as it was sealed, torn or changed, ends what counts.
 * @returns undefined when nothing of it counts
 */
async function takeUp(
  file: FileHandle,
  keys: AttachmentKeys,
  hashes: ReceivedHashes,
  size: number,
): Promise<FileSeal | undefined> {
  try {
    const seal = await readHeader(file, keys);
    // At least one octet is always fetched: a connection has to prove under what protection the file came.
    const most = Math.floor(Math.max(0, size - 1) / segmentOctets);
    const present = Math.min(most, Math.floor(((await file.stat()).size - headerOctets) / sealedSegmentOctets));
    for (let index = 0; index < present; index++) {
      const plain = await readSegment(file, seal, index, false).catch((error: unknown) => {
        assertProtocolError(error);
        return undefined;
      });
      if (plain?.length !== segmentOctets) break;
      hashes.add(plain);
    }
    return seal;
  } catch (error) {
    assertProtocolError(error);
    return undefined;
  }
}

interface Parts {
  readonly folder: string;
  readonly part: string;
  readonly note: string;
  readonly file: FileHandle;
  readonly seal: FileSeal;
  readonly hashes: ReceivedHashes;
  readonly form: PartForm;
}

class NodeSealedTarget implements SealedTarget {
  readonly present: number;
  readonly #parts: Parts;
  readonly #writer: SealedWriter;
  #isOpen = true;

  constructor(parts: Parts, segments: number) {
    this.#parts = parts;
    this.present = segments * segmentOctets;
    this.#writer = new SealedWriter(parts.file, parts.seal, segments);
  }

  write(position: number, bytes: Uint8Array): void | Promise<void> {
    this.#parts.hashes.take(position, bytes);
    return this.#writer.write(bytes);
  }

  async settled(): Promise<number> {
    const { segments } = this.#writer;
    await this.#writer.drained();
    await this.#parts.file.datasync();
    return segments * segmentOctets;
  }

  async finish(): Promise<FinishedFile> {
    const { folder, part, note, file, hashes } = this.#parts;
    try {
      await this.#writer.end();
      hashes.check();
      await file.sync();
    } catch (error) {
      await this.discard();
      throw error;
    }
    await this.#close();
    const path = join(folder, `${randomId(secureRandom, 16)}${sealedEnding}`);
    await rename(part, path);
    await rm(note, { force: true });
    return { path, hashChecked: hashes.isTrusted, isSealed: true };
  }

  async suspend(): Promise<void> {
    if (!this.#isOpen) return;
    await this.settled().catch(() => undefined);
    await this.#close();
  }

  async discard(): Promise<void> {
    const { part, note } = this.#parts;
    await this.#writer.drained().catch(() => undefined);
    await this.#close();
    await rm(note, { force: true });
    await wipe(part);
  }

  keepNote(note: TransferNote): Promise<void> {
    return writeNote(this.#parts.note, note, this.#parts.form);
  }

  async #close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#parts.file.close();
  }
}

import type { FileHandle } from 'node:fs/promises';
import { GatheredFileWriter } from '../files/gathered-file-writer.ts';
import { headerOctets, sealedSegmentOctets, segmentOctets, type FileSeal } from './sealed-format.ts';

/** Seals octets as they come; only whole segments reach the file before its end. */
export class SealedWriter {
  readonly #seal: FileSeal;
  readonly #writer: GatheredFileWriter;
  /** The segment that is being filled. */
  #buffer = new Uint8Array(segmentOctets);
  #filled = 0;
  #index: number;

  /** @param segments that are there already */
  constructor(file: FileHandle, seal: FileSeal, segments: number) {
    this.#seal = seal;
    this.#index = segments;
    this.#writer = new GatheredFileWriter(file, headerOctets + segments * sealedSegmentOctets);
  }

  /** Whole segments that were given to the file. */
  get segments(): number {
    return this.#index;
  }

  /** Returns a promise when the caller should wait before it brings more. @throws what an earlier write failed with. */
  write(bytes: Uint8Array): void | Promise<void> {
    let waiting: void | Promise<void> = undefined;
    for (let at = 0; at < bytes.length;) {
      // A full segment waits for an octet more: the last one is marked as such.
      if (this.#filled === segmentOctets) waiting = this.#flush(false);
      const take = Math.min(bytes.length - at, segmentOctets - this.#filled);
      this.#buffer.set(bytes.subarray(at, at + take), this.#filled);
      this.#filled += take;
      at += take;
    }
    return waiting;
  }

  /** Seals what is left as the last segment; it may be empty. */
  async end(): Promise<void> {
    await this.#flush(true);
    await this.drained();
  }

  /** Resolves when all whole segments are written. @throws what a write failed with. */
  drained(): Promise<void> {
    return this.#writer.drained();
  }

  #flush(isLast: boolean): void | Promise<void> {
    const sealed = this.#seal.seal(this.#buffer.subarray(0, this.#filled), this.#index, isLast);
    this.#filled = 0;
    this.#index += 1;
    return this.#writer.write(sealed);
  }
}

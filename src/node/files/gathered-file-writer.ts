import type { FileHandle } from 'node:fs/promises';

/** Octets that may wait for the disk before whoever writes has to wait too. */
const mostWaiting = 8 * 1024 * 1024;
/** Pieces written in one call; systems allow 1024. */
const piecesAtOnce = 512;

/** Writes pieces in order, many in one call, while more come: a small piece does not wait for the disk. */
export class GatheredFileWriter {
  readonly #file: FileHandle;
  #position: number;
  #waiting: Uint8Array[] = [];
  #waitingOctets = 0;
  #writing: Promise<void> | undefined;
  #failure: unknown;

  /** @param position where the first piece goes, counted from 0. */
  constructor(file: FileHandle, position: number) {
    this.#file = file;
    this.#position = position;
  }

  /**
   * Takes a piece, by reference. Returns a promise when the caller should wait before it brings more.
   * @throws what an earlier write failed with.
   */
  write(bytes: Uint8Array): void | Promise<void> {
    this.#refuseFailure();
    this.#waiting.push(bytes);
    this.#waitingOctets += bytes.length;
    this.#writing ??= this.#work();
    if (this.#waitingOctets > mostWaiting) return this.drained();
  }

  /** Resolves when all that was taken is written. @throws what a write failed with. */
  async drained(): Promise<void> {
    await this.#writing;
    this.#refuseFailure();
  }

  async #work(): Promise<void> {
    // The pieces of one turn of the event loop go together.
    await Promise.resolve();
    try {
      while (this.#waiting.length > 0) {
        const pieces = this.#waiting.splice(0, piecesAtOnce);
        await this.#writeAll(pieces);
      }
    } catch (error) {
      this.#failure = error;
      this.#waiting = [];
    } finally {
      this.#writing = undefined;
    }
  }

  async #writeAll(pieces: Uint8Array[]): Promise<void> {
    const octets = pieces.reduce((sum, { length }) => sum + length, 0);
    const { bytesWritten } = await this.#file.writev(pieces, this.#position);
    if (bytesWritten < octets) {
      // Rare: the rest goes piece by piece.
      const rest = Buffer.concat(pieces).subarray(bytesWritten);
      for (let written = 0; written < rest.length;) {
        const at = this.#position + bytesWritten + written;
        written += (await this.#file.write(rest, written, rest.length - written, at)).bytesWritten;
      }
    }
    this.#position += octets;
    this.#waitingOctets -= octets;
  }

  #refuseFailure(): void {
    if (this.#failure !== undefined) throw this.#failure as Error;
  }
}

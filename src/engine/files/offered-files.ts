import type { ProtectionLevel } from '../../base/protection-level.ts';
import type { FileHash, FileSelector } from '../../protocol/sdp/index.ts';
import type { FileSource } from './file-storage.ts';

/** A file that was offered to somebody, who may fetch it, or its rest, until it is withdrawn. */
export interface OfferedFile {
  /** The transfer under which it is shown. */
  readonly id: string;
  readonly peer: string;
  readonly source: FileSource;
  readonly hashes: readonly FileHash[];
  /** The weakest protection under which it may be fetched: that of the offer. */
  readonly level: ProtectionLevel;
}

const maxOffered = 256;

/** RFC 5547 section 8.3.2: files that a selector may choose. Nobody can fetch what was not offered to them. */
export class OfferedFiles {
  readonly #files = new Map<string, OfferedFile>();

  add(file: OfferedFile): void {
    this.#files.delete(file.id);
    this.#files.set(file.id, file);
    const [oldest] = this.#files.keys();
    if (this.#files.size > maxOffered && oldest !== undefined) this.#files.delete(oldest);
  }

  withdraw(id: string): void {
    this.#files.delete(id);
  }

  clear(): void {
    this.#files.clear();
  }

  /** The one file that every given selector fits; undefined for none, and for more than one without a hash that tells. */
  find(peer: string, selector: FileSelector): OfferedFile | undefined {
    const fitting = [...this.#files.values()].filter((file) => file.peer === peer && isSelected(file, selector));
    if (fitting.length === 1) return fitting[0];
    // The same content twice: any of them is the right one.
    return selector.hashes.some(isStrong) ? fitting.at(-1) : undefined;
  }
}

function isStrong({ algorithm }: FileHash): boolean {
  return algorithm === 'sha-1' || algorithm === 'sha-256';
}

function isSelected({ source, hashes }: OfferedFile, selector: FileSelector): boolean {
  const { name, size, type } = selector;
  if (name !== undefined && name !== source.name) return false;
  if (size !== undefined && size !== source.size) return false;
  if (type !== undefined && type.split(';')[0] !== source.type) return false;
  // Hashes that we do not know say nothing; one that we know decides.
  return selector.hashes.every((wanted) => {
    const own = hashes.find(({ algorithm }) => algorithm === wanted.algorithm);
    return own === undefined || own.value === wanted.value;
  });
}

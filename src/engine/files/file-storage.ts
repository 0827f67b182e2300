import type { ProtectionLevel } from '../../base/protection-level.ts';
import type { FileHash } from '../../protocol/sdp/index.ts';
import type { Evidence } from '../evidence.ts';

/** A file of this machine that is to be sent. Reading fails once the file was changed. */
export interface FileSource {
  /** Without any folder. */
  readonly name: string;
  /** Octets. */
  readonly size: number;
  /** Media type by the name's ending, `application/octet-stream` where it says nothing. */
  readonly type: string;
  /** Milliseconds since 1970. */
  readonly modifiedAt: number;
  /** SHA-256 and SHA-1 of all of it, made in one pass. */
  hashes(): Promise<readonly FileHash[]>;
  /** Octets from `start` (counted from 0) to the end. */
  read(start: number): AsyncIterable<Uint8Array>;
}

export interface FileTargetOptions {
  /** Names this transfer over restarts: the same key finds what an earlier attempt has written. */
  readonly key: string;
  /** False: nothing is known of how an earlier part came, so none counts. */
  readonly continues: boolean;
  /** As the sender named it; made safe before it is used. */
  readonly name: string;
  /** Media type, by the sender's word. */
  readonly type?: string;
  readonly size: number | undefined;
  /** Bound for a file whose size nobody said. */
  readonly maxOctets: number;
  /** What the whole file must hash to; those of unknown algorithms are passed over. */
  readonly hashes: readonly FileHash[];
}

/** What is kept beside a part of a file, so that another run of the program can go on with it. */
export interface TransferNote {
  /** KMS user identity of the account that receives it. */
  readonly account: string;
  readonly id: string;
  readonly peer: string;
  readonly name: string;
  readonly type: string;
  readonly size: number | undefined;
  readonly hashes: readonly FileHash[];
  /** When it was offered, milliseconds since 1970. */
  readonly at: number;
  /** The weakest protection under which a part of it came, and its proof: what is missing is fetched under no less. */
  readonly level: ProtectionLevel;
  readonly evidence: Evidence;
  /** By the user: it does not go on by itself. */
  readonly isPaused: boolean;
}

/** A transfer that an earlier run left unfinished. */
export interface KeptTransfer {
  readonly note: TransferNote;
  /** Octets that are on disk. */
  readonly present: number;
}

/** A file that is being received. Nothing is there under its final name before all of it is there and was checked. */
export interface FileTarget {
  /** Octets of an earlier attempt that are safely on disk: where to go on. */
  readonly present: number;
  /** Keeps, or replaces, what another run needs to know; without it what was written counts for this run alone. */
  keepNote(note: TransferNote): Promise<void>;
  /** Octets at their place in the file, counted from 0; each right after the one before. */
  write(position: number, bytes: Uint8Array): void | Promise<void>;
  /**
   * Checks size and hashes and gives the file its final name.
   * @throws ProtocolError field `file.hash` or `file.size`; what was written is gone then.
   */
  finish(): Promise<FinishedFile>;
  /** Stops for now; what was written waits for the next attempt under the same key. */
  suspend(): Promise<void>;
  /** Stops for good: nothing of it stays. */
  discard(): Promise<void>;
}

export interface FinishedFile {
  /** Where it is now; its last part may differ from the sender's name. */
  readonly path: string;
  /** True when a hash that we trust (SHA-256 or stronger) was checked. */
  readonly hashChecked: boolean;
  /** It is encrypted there: it is read and copied through the storage alone. */
  readonly isSealed?: true;
}

/** Files of this machine, as the engine needs them. */
export interface FileStorage {
  /** @throws ProtocolError `local`, field `file.path`, when it cannot be read or is no ordinary file. */
  openSource(path: string): Promise<FileSource>;
  /** @throws ProtocolError `local`, field `file.folder`, when the folder cannot be written or the disk is too full. */
  openTarget(options: FileTargetOptions): Promise<FileTarget>;
  /** Removes what is there of an unfinished file. */
  discard(key: string): Promise<void>;
  /** Unfinished files of this account; those that nobody went on with for too long are removed. */
  kept(account: string): Promise<readonly KeptTransfer[]>;
}

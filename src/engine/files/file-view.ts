import type { ProtectionLevel } from '../../base/protection-level.ts';
import type { Evidence } from '../evidence.ts';
import type { Refusal } from '../refusal.ts';

/**
 * Out: `preparing` (hashing), `offered` (the peer is asked), `transferring`, `done`.
 * In: `offered` (the user is asked), `waiting` (accepted, the peer is asked for it), `transferring`, `done`.
 * Both: `paused` (by either side), `interrupted` (the connection was lost: goes on by itself or by `resume`), `cancelled`
 * (by us), `declined` (by the peer, or here), `failed` (see `problem`).
 */
export type FileState =
  | 'preparing'
  | 'offered'
  | 'waiting'
  | 'transferring'
  | 'paused'
  | 'interrupted'
  | 'done'
  | 'cancelled'
  | 'declined'
  | 'failed';

/** A preview that came with an offer: a small picture of the sender's. */
export interface FileIcon {
  readonly contentType: 'image/png' | 'image/jpeg' | 'image/webp';
  /** At most 32 KiB; its first octets were checked, nothing more. */
  readonly bytes: Uint8Array;
}

export interface FileView {
  /** Unique within the account. */
  readonly id: string;
  readonly peer: string;
  readonly direction: 'in' | 'out';
  /** As the sender named it: to be shown, never to be opened. */
  readonly name: string;
  readonly type: string;
  /** Octets of the whole; undefined where the sender did not say. */
  readonly size: number | undefined;
  readonly state: FileState;
  /** Octets that are at the receiver as far as this side knows; counted in steps. */
  readonly transferred: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  /**
   * While `offered`, the best that it can be protected with; from `transferring` on, what its connections proved: the weakest of
   * all over which a part of it came or went.
   */
  readonly level?: ProtectionLevel;
  /** Present once a connection was made: of the weakest. */
  readonly evidence?: Evidence;
  readonly icon?: FileIcon;
  /** Where it is on this machine; for one that came in, once it is whole and checked. */
  readonly path?: string;
  /** It is encrypted there: `path` names it, and no other program can open it. */
  readonly isSealed?: true;
  /** For one that came in: a hash of SHA-256 or better was checked. */
  readonly hashChecked?: boolean;
  /** Why it is where it is, for `failed`, `interrupted` and `declined`. */
  readonly problem?: Refusal;
}

export function isOver({ state }: FileView): boolean {
  return state === 'done' || state === 'cancelled' || state === 'declined' || state === 'failed';
}

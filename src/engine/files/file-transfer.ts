import { isAtLeast, type Policy, type ProtectionLevel } from '../../base/protection-level.ts';
import type { FileHash } from '../../protocol/sdp/index.ts';
import type { Evidence } from '../evidence.ts';
import { isOver, type FileState, type FileView } from './file-view.ts';

/** Texts of the BYE with which a transfer's session ends; a peer of the same kind understands them. */
export const endReasons = {
  done: 'file complete',
  paused: 'file paused',
  cancelled: 'file cancelled',
  lost: 'file connection lost',
} as const;

/** What holds a running transfer up: its session, to be ended. */
export interface RunningTransfer {
  /** Ends the session at once, telling the far end why. */
  stop(reason: string): void;
}

/** One file on its way in or out, over as many sessions as it takes. */
export class FileTransfer {
  readonly id: string;
  /** Hashes of the whole as the sender names them. */
  hashes: readonly FileHash[] = [];
  running: RunningTransfer | undefined;
  /** Takes back an offer that is not answered yet. */
  opening: AbortController | undefined;
  /** Under which it was offered, for one that goes out. */
  policy: Policy | undefined;
  /** The user paused it here, and nobody else makes it go on. */
  isPausedHere = false;
  /** What the weakest connection proved over which a part came or went. */
  #reached: { readonly level: ProtectionLevel; readonly evidence: Evidence } | undefined;
  /** What the user wants of it that its session has yet to learn. */
  intent: 'paused' | 'cancelled' | undefined;
  /** Attempts since octets last moved. */
  attempts = 0;
  #view: FileView;
  readonly #onChange: (view: FileView) => void;

  /** Tells nobody yet: the first `enter` does. */
  constructor(view: FileView, onChange: (view: FileView) => void) {
    this.id = view.id;
    this.#view = view;
    this.#onChange = onChange;
    const { level, evidence } = view;
    if (level !== undefined && evidence !== undefined) this.#reached = { level, evidence };
  }

  /**
   * A connection stands over which octets from `start` on will move. A whole file is shown with the weakest protection of its parts.
   * @returns what the file is to be shown with.
   */
  connected(
    start: number,
    level: ProtectionLevel,
    evidence: Evidence,
  ): { readonly level: ProtectionLevel; readonly evidence: Evidence } {
    const before = start === 0 ? undefined : this.#reached;
    this.#reached = before === undefined || isAtLeast(before.level, level) ? { level, evidence } : before;
    return this.#reached;
  }

  /** For one that was declined by a peer which then fetches it all the same. */
  reopen(): void {
    if (this.#view.state === 'declined') this.#view = { ...this.#view, state: 'paused' };
  }

  get view(): FileView {
    return this.#view;
  }

  get isOver(): boolean {
    return isOver(this.#view);
  }

  /** A state that follows makes what the one before had to explain untrue. */
  enter(state: FileState, facts: Partial<Omit<FileView, 'id' | 'state'>> = {}): void {
    if (this.isOver) return;
    const view: { -readonly [Name in keyof FileView]: FileView[Name] } = { ...this.#view, ...facts, state };
    if (facts.problem === undefined) delete view.problem;
    this.#view = view;
    this.#onChange(this.#view);
  }

  /** Counts octets; told on at most every hundredth of the file, and at its end. */
  progress(octets: number): void {
    if (this.#view.state !== 'transferring' || octets <= this.#view.transferred) return;
    this.attempts = 0;
    const { size, transferred } = this.#view;
    const step = Math.max((size ?? 0) / 100, 64 * 1024);
    if (octets - transferred < step && octets !== size) return;
    this.#view = { ...this.#view, transferred: octets };
    this.#onChange(this.#view);
  }
}

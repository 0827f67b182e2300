import { randomId } from '../../base/random.ts';
import type { FileSelector } from '../../protocol/sdp/index.ts';
import { limits } from '../limits.ts';
import type { EnginePorts } from '../ports.ts';
import { keyOf, viewOfNote } from './file-rules.ts';
import type { KeptTransfer } from './file-storage.ts';
import { FileTransfer } from './file-transfer.ts';
import type { FileView } from './file-view.ts';

export interface TransferRegistryOptions {
  readonly ports: Pick<EnginePorts, 'clock' | 'random'>;
  /** KMS user identity of the account. */
  readonly self: string;
  readonly onChange: (view: FileView) => void;
}

/** The transfers of one account, both ways: those of this run, and what an earlier run left. */
export class TransferRegistry {
  readonly #options: TransferRegistryOptions;
  readonly #transfers = new Map<string, FileTransfer>();

  constructor(options: TransferRegistryOptions) {
    this.#options = options;
  }

  all(): readonly FileTransfer[] {
    return [...this.#transfers.values()];
  }

  get(id: string): FileTransfer | undefined {
    return this.#transfers.get(id);
  }

  begin(facts: Omit<FileView, 'id' | 'at' | 'transferred'>): FileTransfer {
    const { clock, random } = this.#options.ports;
    this.#forgetOldest();
    return this.#add({ ...facts, id: randomId(random, 12), at: clock.now(), transferred: 0 });
  }

  restore({ note, present }: KeptTransfer): void {
    const transfer = this.#add(viewOfNote(note, present));
    transfer.hashes = note.hashes;
    transfer.isPausedHere = note.isPaused;
    transfer.enter(transfer.view.state);
  }

  /** The transfer of an earlier offer of the same file by the same peer that did not come to its end. */
  known(peer: string, selector: FileSelector): FileTransfer | undefined {
    if (selector.hashes.length === 0) return undefined;
    const wanted = keyOf(this.#options.self, peer, selector);
    return this.all().find(
      (transfer) => !transfer.isOver && transfer.view.direction === 'in' && this.keyOf(transfer) === wanted,
    );
  }

  /** Names what is stored of it. */
  keyOf({ id, view: { peer, size }, hashes }: FileTransfer): string {
    // Without a hash nobody knows whether the next attempt brings the same file.
    if (hashes.length === 0) return id;
    return keyOf(this.#options.self, peer, { ...(size === undefined ? {} : { size }), hashes });
  }

  #add(view: FileView): FileTransfer {
    const transfer = new FileTransfer(view, this.#options.onChange);
    this.#transfers.set(transfer.id, transfer);
    return transfer;
  }

  #forgetOldest(): void {
    if (this.#transfers.size < limits.fileTransfers) return;
    for (const [id, { isOver }] of this.#transfers) {
      if (!isOver) continue;
      this.#transfers.delete(id);
      return;
    }
  }
}

import type { CancelTimer } from '../../base/clock.ts';
import { describeError } from '../../base/errors.ts';
import type { Policy } from '../../base/protection-level.ts';
import { readFileTransfer } from '../../protocol/sdp/index.ts';
import { asRefusalError, refuse, type Refusal } from '../refusal.ts';
import { warningOf } from '../sessions/offer-rejection.ts';
import type { RemoteStream } from '../sessions/remote-stream.ts';
import type { IncomingInvite } from '../sip/index.ts';
import type { FileParts } from './file-parts.ts';
import { endReasons } from './file-transfer.ts';
import type { FileIcon, FileView } from './file-view.ts';
import { IncomingFiles } from './incoming-files.ts';
import { OutgoingFiles } from './outgoing-files.ts';
import { textSource } from './text-source.ts';
import { TransferRegistry } from './transfer-registry.ts';

export interface FileTransfersOptions extends Omit<FileParts, 'registry' | 'isStopped' | 'later'> {
  readonly onChange: (view: FileView) => void;
  readonly onRefused: (peer: string, problem: Refusal) => void;
}

/** Files of one account, both ways (RFC 5547): offers, asks, sends, receives, goes on after interruptions. */
export class FileTransfers {
  readonly #options: FileTransfersOptions;
  readonly #registry: TransferRegistry;
  readonly #incoming: IncomingFiles;
  readonly #outgoing: OutgoingFiles;
  /** Over when what an earlier run left is known. Never rejects. */
  readonly #restored: Promise<void>;
  readonly #timers = new Set<CancelTimer>();
  #isStopped = false;

  constructor(options: FileTransfersOptions) {
    this.#options = options;
    this.#registry = new TransferRegistry({ ...options, ports: options.context.ports });
    const parts: FileParts = {
      ...options,
      registry: this.#registry,
      isStopped: () => this.#isStopped,
      later: (milliseconds, action) => this.#later(milliseconds, action),
    };
    this.#incoming = new IncomingFiles(parts);
    this.#outgoing = new OutgoingFiles(parts);
    this.#restored = this.#incoming.restore();
  }

  /** The account is registered: what was interrupted goes on. */
  async registered(): Promise<void> {
    await this.#restored;
    this.#incoming.resumeAll();
  }

  views(): FileView[] {
    return this.#registry.all().map(({ view }) => view);
  }

  /**
   * Offers a file. Resolves when it is known which file it is; what becomes of it is told by `onChange`.
   * @throws RefusalError `peer-incompatible` when the file cannot be read.
   */
  send(peer: string, path: string, policy: Policy, icon?: FileIcon): Promise<FileView> {
    return this.#outgoing.send(peer, path, policy, icon);
  }

  /**
   * Offers a text that is too long for a message as a file. @throws RefusalError `too-large` while too many wait.
   * @param at when it was written, milliseconds since 1970
   */
  sendText(peer: string, text: Uint8Array, at: number, policy: Policy): FileView {
    return this.#outgoing.sendText(peer, textSource(text, at), policy);
  }

  /** The user wants the file; when its sender does not wait any more it is fetched. False when it is not offered. */
  accept(id: string): boolean {
    return this.#incoming.accept(id);
  }

  /** False when it is not offered. */
  decline(id: string): boolean {
    return this.#incoming.decline(id);
  }

  /** Stops for now; either side may go on. False when it is not under way. */
  pause(id: string): boolean {
    return this.#stop(id, 'paused', endReasons.paused);
  }

  /**
   * Goes on: the receiver fetches the rest; the sender offers the file again. False when it is neither paused nor interrupted.
   * @param consent the user agrees to the level that a problem `consent-required` offered.
   */
  resume(id: string, consent = false): boolean {
    const transfer = this.#registry.get(id);
    if (transfer === undefined || !['paused', 'interrupted'].includes(transfer.view.state)) return false;
    if (consent) this.#options.policies.consent(transfer.view.peer);
    transfer.attempts = 0;
    transfer.isPausedHere = false;
    void (transfer.view.direction === 'in' ? this.#incoming.fetch(transfer) : this.#outgoing.resume(transfer));
    return true;
  }

  /** Ends it for good; of one that comes in nothing stays. False when it is over. */
  cancel(id: string): boolean {
    const transfer = this.#registry.get(id);
    if (transfer === undefined || transfer.isOver) return false;
    this.#outgoing.withdraw(id);
    if (this.#incoming.decide(id, 'declined')) return true;
    if (this.#stop(id, 'cancelled', endReasons.cancelled)) return true;
    transfer.intent = undefined;
    transfer.enter('cancelled');
    transfer.opening?.abort();
    if (transfer.view.direction === 'in') void this.#incoming.discard(transfer);
    return true;
  }

  /** Answers an invitation that speaks of a file. */
  async answer(invite: IncomingInvite, peer: string, remote: RemoteStream): Promise<void> {
    const { context, onRefused } = this.#options;
    await this.#restored;
    try {
      const attributes = readFileTransfer(remote.section);
      if (attributes?.selector === undefined || this.#options.storage === undefined || this.#isStopped) {
        throw refuse('peer-incompatible', 'invitation', { happened: 'Files are not taken here' });
      }
      if (remote.media.direction === 'recvonly') await this.#outgoing.answerFetch(invite, peer, remote, attributes);
      else await this.#incoming.answerPush(invite, peer, remote, attributes);
    } catch (error) {
      const refused = asRefusalError(error, 'peer-incompatible');
      context.ports.log.log('warn', 'file.refused', { code: refused.code, reason: describeError(error) });
      invite.reject(488, { warning: warningOf(refused.happened) });
      onRefused(peer, refused.refusal(refused.meaning === 'file-offer' ? 'file-offer' : 'invitation'));
    }
  }

  /** Ends what is under way; resolves when what came in so far is kept for the next run. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
    for (const transfer of this.#registry.all()) {
      const { running } = transfer;
      // What goes out is over for this run: nothing that is said of it now would be true.
      if (transfer.view.direction === 'out') transfer.running = undefined;
      running?.stop(endReasons.lost);
    }
    this.#outgoing.stop();
    await this.#incoming.stop();
    await this.#restored;
  }

  #stop(id: string, intent: 'paused' | 'cancelled', reason: string): boolean {
    const transfer = this.#registry.get(id);
    if (transfer?.running === undefined) return false;
    transfer.intent = intent;
    transfer.running.stop(reason);
    return true;
  }

  #later(milliseconds: number, action: () => void): void {
    if (this.#isStopped) return;
    const cancel = this.#options.context.ports.clock.after(milliseconds, () => {
      this.#timers.delete(cancel);
      action();
    });
    this.#timers.add(cancel);
  }
}

import { describeError } from '../../base/errors.ts';
import { isAtLeast, type Policy, type ProtectionLevel } from '../../base/protection-level.ts';
import type { FileTransfer as FileAttributes } from '../../protocol/sdp/index.ts';
import { limits } from '../limits.ts';
import { asRefusalError, refusal, refuse, type Refusal } from '../refusal.ts';
import { answerInvite, judgeInvite } from '../sessions/session-answerer.ts';
import type { EstablishedStream } from '../sessions/session-opener.ts';
import type { RemoteStream } from '../sessions/remote-stream.ts';
import type { IncomingInvite } from '../sip/index.ts';
import { iconPart } from './file-icon.ts';
import type { FileParts } from './file-parts.ts';
import { sendPurpose } from './file-purpose.ts';
import { isTemporary, restWillBeFetched } from './file-rules.ts';
import { sendFile } from './file-sender.ts';
import type { FileSource } from './file-storage.ts';
import { fileLines, openFileStream } from './file-streams.ts';
import { endReasons, type FileTransfer } from './file-transfer.ts';
import { isOver, type FileIcon, type FileView } from './file-view.ts';
import { OfferedFiles, type OfferedFile } from './offered-files.ts';

/** How long a peer that declined an offer may still fetch it: one that has a part of the file does so at once. */
const declinedMilliseconds = 60_000;

/** Files that go out: offered, sent, and fetched by those to whom they were offered. */
export class OutgoingFiles {
  readonly #parts: FileParts;
  readonly #offered = new OfferedFiles();
  /** Long texts that may still have to be offered again; nowhere else. */
  readonly #texts = new Map<string, FileSource>();

  constructor(parts: FileParts) {
    this.#parts = parts;
  }

  /**
   * Offers a file. Resolves when it is known which file it is; what becomes of it is told by `onChange`.
   * @throws RefusalError `peer-incompatible` when the file cannot be read.
   */
  async send(peer: string, path: string, policy: Policy, icon?: FileIcon): Promise<FileView> {
    const source = await this.#open(path);
    return this.#begin(peer, source, policy, { path, ...(icon === undefined ? {} : { icon }) }).view;
  }

  /** Offers a text that is too long for a message. @throws RefusalError `too-large` while too many wait. */
  sendText(peer: string, source: FileSource, policy: Policy): FileView {
    for (const id of this.#texts.keys()) {
      if (this.#parts.registry.get(id)?.isOver !== false) this.#texts.delete(id);
    }
    if (this.#texts.size >= limits.longTexts) {
      throw refuse('too-large', 'message', { happened: 'Too many long texts wait to be taken' });
    }
    const transfer = this.#begin(peer, source, policy);
    this.#texts.set(transfer.id, source);
    return transfer.view;
  }

  /** Offers it again. Never rejects. */
  async resume(transfer: FileTransfer): Promise<void> {
    const { path = '' } = transfer.view;
    try {
      await this.#push(transfer, this.#texts.get(transfer.id) ?? (await this.#open(path)));
    } catch (error) {
      this.#notOpened(transfer, error);
    }
  }

  /** Nobody may fetch it any more. */
  withdraw(id: string): void {
    this.#offered.withdraw(id);
  }

  stop(): void {
    this.#offered.clear();
    this.#texts.clear();
  }

  /** Answers an invitation that fetches a file. @throws RefusalError */
  async answerFetch(
    invite: IncomingInvite,
    peer: string,
    remote: RemoteStream,
    { selector, range, transferId }: FileAttributes,
  ): Promise<void> {
    const { context, policies } = this.#parts;
    const offered = selector === undefined ? undefined : this.#offered.find(peer, selector);
    const transfer = offered === undefined ? undefined : this.#parts.registry.get(offered.id);
    if (offered === undefined || transfer === undefined) {
      throw refuse('peer-refused', 'invitation', { happened: 'This file was not offered, or is no longer' });
    }
    const start = (range?.start ?? 1) - 1;
    if (start >= offered.source.size && offered.source.size > 0) {
      throw refuse('peer-incompatible', 'invitation', { happened: 'The file is not that long' });
    }
    const judged = judgeInvite(context, invite, peer, remote, policies.policyFor(peer));
    if (!isAtLeast(judged.level, offered.level)) {
      throw refuse('policy-not-met', 'invitation', { reached: judged.level });
    }
    // What runs still is the rest of a connection that the other side has given up.
    const { running } = transfer;
    transfer.running = undefined;
    running?.stop(endReasons.lost);
    transfer.reopen();
    const lines = fileLines(this.#parts.context.ports.random, transfer, { range, transferId });
    const stream = await answerInvite(context, judged, sendPurpose(lines));
    if (!isAtLeast(stream.level, offered.level)) {
      stream.channel.close();
      void stream.sip.end();
      throw refuse('policy-not-met', 'invitation', { reached: stream.level });
    }
    await this.#sendOver(transfer, stream, offered, start);
  }

  #begin(peer: string, source: FileSource, policy: Policy, more: Pick<FileView, 'icon' | 'path'> = {}): FileTransfer {
    const { name, type, size } = source;
    const transfer = this.#parts.registry.begin({
      ...more,
      peer,
      direction: 'out',
      name,
      type,
      size,
      state: 'preparing',
    });
    transfer.policy = policy;
    transfer.enter('preparing');
    void this.#push(transfer, source);
    return transfer;
  }

  async #push(transfer: FileTransfer, source: FileSource): Promise<void> {
    const { peer, icon } = transfer.view;
    const policy = transfer.policy ?? this.#parts.policies.policyFor(peer);
    try {
      transfer.hashes = await source.hashes();
      if (transfer.isOver) return;
      const level = this.#weakestAllowed(peer, policy);
      const offered = { id: transfer.id, peer, source, hashes: transfer.hashes, level };
      this.#offered.add(offered);
      transfer.enter('offered');
      const lines = fileLines(this.#parts.context.ports.random, transfer, { modifiedAt: source.modifiedAt });
      const part = icon === undefined ? undefined : iconPart(icon, this.#parts.context.ports.random);
      transfer.opening = new AbortController();
      const { signal } = transfer.opening;
      const [withIcon, plain] = [sendPurpose(lines, part), sendPurpose(lines)];
      const stream = await openFileStream({
        ...this.#parts,
        peer,
        policy,
        purpose: { ...withIcon, signal },
        plainPurpose: { ...plain, signal },
      });
      // A peer that has a part of it refuses this and fetches the rest: then that session is the one that counts.
      if (transfer.running !== undefined || isOver(transfer.view)) {
        void stream.sip.end(endReasons.cancelled);
        stream.channel.close();
        return;
      }
      await this.#sendOver(transfer, stream, offered, 0);
    } catch (error) {
      this.#notOpened(transfer, error);
    }
  }

  async #sendOver(
    transfer: FileTransfer,
    stream: EstablishedStream,
    offered: OfferedFile,
    start: number,
  ): Promise<void> {
    const { context, self } = this.#parts;
    await sendFile({ ports: context.ports, transfer, stream, offered, start, self });
    if (transfer.isOver) this.#offered.withdraw(transfer.id);
  }

  #notOpened(transfer: FileTransfer, error: unknown): void {
    const refused = asRefusalError(error, 'connection-lost');
    const { log } = this.#parts.context.ports;
    log.log('warn', 'file.not-opened', { transfer: transfer.id, code: refused.code, reason: refused.happened });
    if (transfer.running !== undefined) return;
    const problem = refused.refusal(transfer.view.evidence === undefined ? 'session' : 'file');
    if (refused.code === 'timeout') {
      const happened = 'The other side has not answered; it can still take the file while Tessera runs here';
      transfer.enter('interrupted', { problem: refusal('timeout', 'file', { happened }) });
    } else if (isTemporary(refused.code)) transfer.enter('interrupted', { problem });
    else if (refused.code === 'consent-required') transfer.enter('paused', { problem });
    else if (refused.code === 'peer-refused') this.#declined(transfer, problem, refused.happened);
    else {
      this.#offered.withdraw(transfer.id);
      transfer.enter('failed', { problem });
    }
  }

  /** A peer that declines an offer of all of a file may have a part of it, and fetch the rest. */
  #declined(transfer: FileTransfer, problem: Refusal, happened: string): void {
    if (happened.includes(restWillBeFetched)) {
      transfer.enter('paused');
      return;
    }
    transfer.enter('declined', { problem });
    this.#parts.later(declinedMilliseconds, () => {
      if (transfer.view.state === 'declined') this.#offered.withdraw(transfer.id);
    });
  }

  async #open(path: string): Promise<FileSource> {
    const { storage } = this.#parts;
    if (storage === undefined) throw refuse('peer-incompatible', 'file', { happened: 'No files are sent from here' });
    try {
      return await storage.openSource(path);
    } catch (error) {
      throw refuse('peer-incompatible', 'file', {
        happened: `The file cannot be read (${describeError(error)})`,
        cause: error,
      });
    }
  }

  #weakestAllowed(peer: string, policy: Policy): ProtectionLevel {
    if (policy === 'require-e2e') return 'e2e';
    if (policy === 'require-e2ae') return 'e2ae';
    return policy === 'any' ? 'none' : (this.#parts.policies.agreedLevel(peer) ?? 'e2e');
  }
}

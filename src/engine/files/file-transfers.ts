import { describeError } from '../../base/errors.ts';
import { isAtLeast, type Policy, type ProtectionLevel } from '../../base/protection-level.ts';
import { randomId } from '../../base/random.ts';
import { readFileTransfer, type FileTransfer as FileAttributes } from '../../protocol/sdp/index.ts';
import { limits } from '../limits.ts';
import { judgeSending, type ContactPolicies } from '../policy.ts';
import { asRefusalError, refusal, refuse, type Refusal } from '../refusal.ts';
import { judgeLevel, openUnderPolicy } from '../sessions/protection-choice.ts';
import { answerInvite, judgeInvite, type JudgedInvite } from '../sessions/session-answerer.ts';
import type { SessionContext } from '../sessions/session-context.ts';
import { openOutgoing, type EstablishedStream } from '../sessions/session-opener.ts';
import type { RemoteStream } from '../sessions/stream-description.ts';
import type { StreamPurpose } from '../sessions/stream-purpose.ts';
import type { IncomingInvite } from '../sip/index.ts';
import { receivePurpose, sendPurpose, type FileLines } from './file-purpose.ts';
import { FileReceiving } from './file-receiver.ts';
import { sendFile } from './file-sender.ts';
import type { FileSource, FileStorage, FileTarget } from './file-storage.ts';
import { endReasons, FileTransfer } from './file-transfer.ts';
import { isOver, type FileView } from './file-view.ts';
import { OfferedFiles, type OfferedFile } from './offered-files.ts';

export interface FileTransfersOptions {
  readonly context: SessionContext;
  readonly policies: ContactPolicies;
  /** KMS user identity of this account. */
  readonly self: string;
  /** Absent where this shell keeps no files: every file is then refused. */
  readonly storage: FileStorage | undefined;
  readonly onChange: (view: FileView) => void;
  readonly onRefused: (peer: string, problem: Refusal) => void;
}

/** Waiting times before a lost connection is made again; after the last the user has to. */
const resumeMilliseconds = [1_000, 3_000, 10_000, 30_000, 60_000, 120_000];

/** The user's answer to a file that somebody offers. */
type Decision = 'accepted' | 'declined' | 'gone';

/** Files of one account, both ways (RFC 5547): offers, asks, sends, receives, goes on after interruptions. */
export class FileTransfers {
  readonly #options: FileTransfersOptions;
  readonly #transfers = new Map<string, FileTransfer>();
  readonly #offered = new OfferedFiles();
  readonly #questions = new Map<string, (decision: Decision) => void>();
  #isStopped = false;

  constructor(options: FileTransfersOptions) {
    this.#options = options;
  }

  views(): FileView[] {
    return [...this.#transfers.values()].map(({ view }) => view);
  }

  /**
   * Offers a file. Resolves when it is known which file it is; what becomes of it is told by `onChange`.
   * @throws RefusalError `peer-incompatible` when the file cannot be read.
   */
  async send(peer: string, path: string, policy: Policy): Promise<FileView> {
    const source = await this.#open(path);
    const transfer = this.#begin({
      peer,
      direction: 'out',
      name: source.name,
      type: source.type,
      size: source.size,
      state: 'preparing',
      path,
    });
    transfer.enter('preparing');
    void this.#push(transfer, source, policy);
    return transfer.view;
  }

  /** The user wants the file. False when nobody asks. */
  accept(id: string): boolean {
    return this.#decide(id, 'accepted');
  }

  decline(id: string): boolean {
    return this.#decide(id, 'declined');
  }

  /** Stops for now; either side may go on. False when it is not under way. */
  pause(id: string): boolean {
    return this.#stop(id, 'paused', endReasons.paused);
  }

  /** Goes on: the receiver fetches the rest; the sender offers the file again. False when it is neither paused nor interrupted. */
  resume(id: string): boolean {
    const transfer = this.#transfers.get(id);
    if (transfer === undefined || !['paused', 'interrupted'].includes(transfer.view.state)) return false;
    transfer.attempts = 0;
    if (transfer.view.direction === 'in') void this.#fetch(transfer);
    else void this.#pushAgain(transfer);
    return true;
  }

  /** Ends it for good; of one that comes in nothing stays. False when it is over. */
  cancel(id: string): boolean {
    const transfer = this.#transfers.get(id);
    if (transfer === undefined || transfer.isOver) return false;
    this.#offered.withdraw(id);
    if (this.#decide(id, 'declined')) return true;
    if (this.#stop(id, 'cancelled', endReasons.cancelled)) return true;
    transfer.intent = undefined;
    transfer.enter('cancelled');
    void this.#discard(transfer);
    return true;
  }

  /** Answers an invitation that speaks of a file. */
  async answer(invite: IncomingInvite, peer: string, remote: RemoteStream): Promise<void> {
    const { context, onRefused } = this.#options;
    try {
      const attributes = readFileTransfer(remote.section);
      if (attributes?.selector === undefined || this.#options.storage === undefined || this.#isStopped) {
        throw refuse('peer-incompatible', 'invitation', { happened: 'Files are not taken here' });
      }
      if (remote.media.direction === 'recvonly') await this.#answerFetch(invite, peer, remote, attributes);
      else await this.#answerPush(invite, peer, remote, attributes);
    } catch (error) {
      const refused = asRefusalError(error, 'peer-incompatible');
      context.ports.log.log('warn', 'file.refused', { code: refused.code, reason: describeError(error) });
      invite.reject(488, { warning: refused.happened.replace(/[^\x20-\x7e]|["\\]/g, "'").slice(0, 200) });
      onRefused(peer, refused.refusal('invitation'));
    }
  }

  /** Ends what is under way; what came in so far stays for the next run. */
  stop(): void {
    this.#isStopped = true;
    for (const question of [...this.#questions.values()]) question('gone');
    for (const { running } of this.#transfers.values()) running?.stop(endReasons.lost);
    this.#offered.clear();
  }

  async #push(transfer: FileTransfer, source: FileSource, policy: Policy): Promise<void> {
    const { peer } = transfer.view;
    try {
      transfer.hashes = await source.hashes();
      if (transfer.isOver) return;
      const level = this.#weakestAllowed(peer, policy);
      const offered = { id: transfer.id, peer, source, hashes: transfer.hashes, level };
      this.#offered.add(offered);
      transfer.enter('offered');
      const lines = this.#lines(transfer, { modifiedAt: source.modifiedAt });
      const stream = await this.#openStream(peer, policy, sendPurpose(lines));
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

  async #pushAgain(transfer: FileTransfer): Promise<void> {
    const { path = '', peer } = transfer.view;
    try {
      await this.#push(transfer, await this.#open(path), this.#options.policies.policyFor(peer));
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
    const { context, self } = this.#options;
    await sendFile({ ports: context.ports, transfer, stream, offered, start, self });
    if (transfer.isOver) this.#offered.withdraw(transfer.id);
  }

  async #answerPush(
    invite: IncomingInvite,
    peer: string,
    remote: RemoteStream,
    attributes: FileAttributes,
  ): Promise<void> {
    const { context, policies } = this.#options;
    const { selector } = attributes;
    if (selector === undefined) return;
    if ((selector.size ?? 0) > limits.fileOctets || this.#questions.size >= limits.offeredFiles) {
      throw refuse('too-large', 'invitation', {
        happened: 'The file is too large, or too many files wait for an answer',
      });
    }
    const judged = judgeInvite(context, invite, peer, remote, policies.policyFor(peer));
    const transfer =
      this.#known(peer, attributes) ??
      this.#begin({
        peer,
        direction: 'in',
        name: selector.name ?? 'file',
        type: selector.type ?? 'application/octet-stream',
        size: selector.size,
        state: 'offered',
      });
    transfer.hashes = selector.hashes;
    const asked = this.#ask(transfer, invite);
    // Told when the answer can be taken.
    transfer.enter('offered', { level: judged.level });
    const decision = await asked;
    if (decision !== 'accepted') {
      if (decision === 'declined') invite.reject(603);
      transfer.enter(decision === 'declined' ? 'declined' : 'interrupted', {
        ...(decision === 'gone' ? { problem: refusal('timeout', 'file') } : {}),
      });
      return;
    }
    await this.#take(transfer, judged, attributes);
  }

  async #take(transfer: FileTransfer, judged: JudgedInvite, attributes: FileAttributes): Promise<void> {
    const { context } = this.#options;
    transfer.enter('waiting');
    try {
      const target = await this.#target(transfer);
      const wholeFrom = (attributes.range?.start ?? 1) - 1;
      if (target.present !== wholeFrom) {
        await target.suspend();
        // RFC 5547 section 8.3.1: the range of an offer cannot be changed by its answer. So it is refused and fetched.
        judged.invite.reject(603, { warning: 'the rest will be fetched' });
        await this.#fetch(transfer);
        return;
      }
      const receiving = new FileReceiving(context.ports, transfer, target);
      const lines = this.#lines(transfer, { range: attributes.range, transferId: attributes.transferId });
      const purpose = receivePurpose(lines, (isWrapped) => receiving.sink(isWrapped));
      const stream = await answerInvite(context, judged, purpose).catch(async (error: unknown) => {
        await target.suspend();
        throw error;
      });
      await receiving.run(stream);
      this.#resumeLater(transfer);
    } catch (error) {
      judged.invite.reject(480);
      this.#notOpened(transfer, error);
    }
  }

  /** Fetches what is missing from the side that offered it (RFC 5547 section 8.2.2). */
  async #fetch(transfer: FileTransfer): Promise<void> {
    const { context, policies } = this.#options;
    const { peer, size } = transfer.view;
    if (this.#isStopped || transfer.isOver || transfer.running !== undefined) return;
    transfer.enter('waiting');
    let target: FileTarget | undefined;
    try {
      target = await this.#target(transfer);
      const receiving = new FileReceiving(context.ports, transfer, target);
      const start = target.present;
      const range = { start: start + 1, ...(size === undefined ? {} : { stop: size }) };
      const lines = this.#lines(transfer, start === 0 ? {} : { range });
      const purpose = receivePurpose(lines, (isWrapped) => receiving.sink(isWrapped));
      const stream = await this.#openStream(peer, policies.policyFor(peer), purpose);
      await receiving.run(stream);
    } catch (error) {
      await target?.suspend();
      this.#notOpened(transfer, error);
    }
    this.#resumeLater(transfer);
  }

  async #answerFetch(
    invite: IncomingInvite,
    peer: string,
    remote: RemoteStream,
    { selector, range, transferId }: FileAttributes,
  ): Promise<void> {
    const { context, policies } = this.#options;
    const offered = selector === undefined ? undefined : this.#offered.find(peer, selector);
    const transfer = offered === undefined ? undefined : this.#transfers.get(offered.id);
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
    transfer.running?.stop(endReasons.lost);
    const lines = this.#lines(transfer, { range, transferId });
    const stream = await answerInvite(context, judged, sendPurpose(lines));
    if (!isAtLeast(stream.level, offered.level)) {
      stream.channel.close();
      void stream.sip.end();
      throw refuse('policy-not-met', 'invitation', { reached: stream.level });
    }
    await this.#sendOver(transfer, stream, offered, start);
  }

  /** A stream under the policy, its level judged by what its connection proved. */
  async #openStream(peer: string, policy: Policy, purpose: StreamPurpose): Promise<EstablishedStream> {
    const { context, policies } = this.#options;
    const stream = await openUnderPolicy(context, policies, peer, policy, (protection, judged) =>
      openOutgoing(context, peer, protection, (level) => judgeLevel(judged, level), purpose),
    );
    const verdict = judgeSending(policy, stream.level, policies.agreedLevel(peer));
    if (verdict === 'satisfied') return stream;
    stream.channel.close();
    void stream.sip.end();
    if (verdict === 'not-met') throw refuse('policy-not-met', 'file', { reached: stream.level, required: policy });
    policies.noteOffer(peer, stream.level);
    throw refuse('consent-required', 'file', { offered: stream.level, reached: stream.level, required: policy });
  }

  #resumeLater(transfer: FileTransfer): void {
    if (transfer.view.state !== 'interrupted' || this.#isStopped) return;
    const wait = resumeMilliseconds[transfer.attempts];
    if (wait === undefined) return;
    transfer.attempts += 1;
    const { clock } = this.#options.context.ports;
    clock.after(wait, () => {
      if (transfer.view.state === 'interrupted') void this.#fetch(transfer);
    });
  }

  /** Waits for the user, or until the far end gives up. */
  #ask(transfer: FileTransfer, invite: IncomingInvite): Promise<Decision> {
    return new Promise((resolve) => {
      const decide = (decision: Decision): void => {
        if (this.#questions.delete(transfer.id)) resolve(decision);
      };
      this.#questions.set(transfer.id, decide);
      invite.onCancelled(() => decide('gone'));
    });
  }

  #decide(id: string, decision: Decision): boolean {
    const question = this.#questions.get(id);
    question?.(decision);
    return question !== undefined;
  }

  #stop(id: string, intent: 'paused' | 'cancelled', reason: string): boolean {
    const transfer = this.#transfers.get(id);
    if (transfer?.running === undefined) return false;
    transfer.intent = intent;
    transfer.running.stop(reason);
    return true;
  }

  #notOpened(transfer: FileTransfer, error: unknown): void {
    const { log } = this.#options.context.ports;
    const refused = asRefusalError(error, 'connection-lost');
    log.log('warn', 'file.not-opened', { transfer: transfer.id, code: refused.code, reason: refused.happened });
    if (transfer.running !== undefined) return;
    const problem = refused.refusal('file');
    const isTemporary = ['timeout', 'connection-lost', 'peer-unreachable', 'kms-unreachable', 'not-registered'];
    if (transfer.view.direction === 'in' && isTemporary.includes(refused.code)) {
      transfer.enter('interrupted', { problem });
    } else if (refused.code === 'peer-refused' && transfer.view.direction === 'out') {
      // It may still be fetched, so it is not over.
      transfer.enter('paused', { problem });
    } else transfer.enter('failed', { problem });
  }

  #begin(facts: Omit<FileView, 'id' | 'at' | 'transferred'>): FileTransfer {
    const { ports } = this.#options.context;
    this.#forgetOldest();
    const view = { ...facts, id: randomId(ports.random, 12), at: ports.clock.now(), transferred: 0 };
    const transfer = new FileTransfer(view, this.#options.onChange);
    this.#transfers.set(transfer.id, transfer);
    return transfer;
  }

  /** The transfer of an earlier offer of the same file by the same peer that did not come to its end. */
  #known(peer: string, { selector }: FileAttributes): FileTransfer | undefined {
    return [...this.#transfers.values()].find(
      ({ view, hashes, isOver }) =>
        !isOver &&
        view.direction === 'in' &&
        view.peer === peer &&
        ['paused', 'interrupted'].includes(view.state) &&
        hashes.length > 0 &&
        keyOf(peer, view.size, hashes) === keyOf(peer, selector?.size, selector?.hashes ?? []),
    );
  }

  #lines(
    transfer: FileTransfer,
    more: { range?: FileLines['range']; transferId?: string | undefined; modifiedAt?: number },
  ): FileLines {
    const { name, size, type } = transfer.view;
    return {
      selector: { name, type, ...(size === undefined ? {} : { size }), hashes: transfer.hashes },
      transferId: more.transferId ?? randomId(this.#options.context.ports.random, 16),
      range: more.range,
      ...(more.modifiedAt === undefined ? {} : { modifiedAt: more.modifiedAt }),
    };
  }

  #target(transfer: FileTransfer): Promise<FileTarget> {
    const { peer, name, size } = transfer.view;
    const { hashes } = transfer;
    const { storage } = this.#options;
    if (storage === undefined) throw refuse('peer-incompatible', 'file', { happened: 'No files are kept here' });
    // Without a hash nobody knows whether the next attempt brings the same file.
    const key = hashes.length === 0 ? transfer.id : keyOf(peer, size, hashes);
    return storage.openTarget({ key, name, size, hashes });
  }

  async #discard(transfer: FileTransfer): Promise<void> {
    if (transfer.view.direction === 'out') return;
    try {
      await (await this.#target(transfer)).discard();
    } catch (error) {
      this.#options.context.ports.log.log('warn', 'file.not-discarded', { reason: describeError(error) });
    }
  }

  async #open(path: string): Promise<FileSource> {
    const { storage } = this.#options;
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
    return policy === 'any' ? 'none' : (this.#options.policies.agreedLevel(peer) ?? 'e2e');
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

function keyOf(peer: string, size: number | undefined, hashes: FileTransfer['hashes']): string {
  const named = hashes.map(({ algorithm, value }) => `${algorithm}:${value}`).sort();
  return [peer, String(size), ...named].join(' ');
}

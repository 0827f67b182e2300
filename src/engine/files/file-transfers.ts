import { describeError, ProtocolError } from '../../base/errors.ts';
import { isAtLeast, type Policy, type ProtectionLevel } from '../../base/protection-level.ts';
import { randomId } from '../../base/random.ts';
import { readFileTransfer, type FileSelector, type FileTransfer as FileAttributes } from '../../protocol/sdp/index.ts';
import type { FilesConfig } from '../account-config.ts';
import { limits } from '../limits.ts';
import { acceptsIncoming, judgeSending, type ContactPolicies } from '../policy.ts';
import { asRefusalError, refusal, refuse, RefusalError, type Refusal } from '../refusal.ts';
import { judgeLevel, openUnderPolicy } from '../sessions/protection-choice.ts';
import { answerInvite, judgeInvite, type JudgedInvite } from '../sessions/session-answerer.ts';
import type { SessionContext } from '../sessions/session-context.ts';
import { openOutgoing, type EstablishedStream } from '../sessions/session-opener.ts';
import type { RemoteStream } from '../sessions/stream-description.ts';
import type { StreamPurpose } from '../sessions/stream-purpose.ts';
import type { IncomingInvite } from '../sip/index.ts';
import { findIcon, iconPart } from './file-icon.ts';
import { receivePurpose, sendPurpose, type FileLines } from './file-purpose.ts';
import { FileReceiving } from './file-receiver.ts';
import { checkOffer, fetchPolicy, isTemporary, keyOf, restWillBeFetched, viewOfNote } from './file-rules.ts';
import { sendFile } from './file-sender.ts';
import type { FileSource, FileStorage, FileTarget } from './file-storage.ts';
import { endReasons, FileTransfer } from './file-transfer.ts';
import { isOver, type FileIcon, type FileView } from './file-view.ts';
import { OfferedFiles, type OfferedFile } from './offered-files.ts';
import { storageProblem } from './storage-problem.ts';

export interface FileTransfersOptions {
  readonly context: SessionContext;
  readonly policies: ContactPolicies;
  /** KMS user identity of this account. */
  readonly self: string;
  /** Absent where this shell keeps no files: every file is then refused. */
  readonly storage: FileStorage | undefined;
  readonly config: FilesConfig;
  /** Whether the user knows this address: one for which a policy is set. */
  readonly isContact: (peer: string) => boolean;
  readonly onChange: (view: FileView) => void;
  readonly onRefused: (peer: string, problem: Refusal) => void;
}

/** Waiting times before a lost connection is made again; after the last the user has to. */
const resumeMilliseconds = [1_000, 3_000, 10_000, 30_000, 60_000, 120_000];
/** How long a peer that declined an offer may still fetch it: one that has a part of the file does so at once. */
const declinedMilliseconds = 60_000;

/** The user's answer to a file that somebody offers. */
type Decision = 'accepted' | 'declined' | 'gone';

/** Files of one account, both ways (RFC 5547): offers, asks, sends, receives, goes on after interruptions. */
export class FileTransfers {
  readonly #options: FileTransfersOptions;
  readonly #transfers = new Map<string, FileTransfer>();
  readonly #offered = new OfferedFiles();
  readonly #questions = new Map<string, (decision: Decision) => void>();
  /** Being fetched, from the first step on. */
  readonly #fetching = new Set<string>();
  /** Sessions over which files come in. */
  readonly #receiving = new Set<Promise<void>>();
  /** Over when what an earlier run left is known. Never rejects. */
  readonly #restored: Promise<void>;
  #isStopped = false;

  constructor(options: FileTransfersOptions) {
    this.#options = options;
    this.#restored = this.#restore();
  }

  /** The account is registered: what was interrupted goes on. */
  async registered(): Promise<void> {
    await this.#restored;
    for (const transfer of this.#transfers.values()) {
      const { direction, state, problem } = transfer.view;
      if (direction !== 'in' || state !== 'interrupted' || !isTemporary(problem?.code)) continue;
      transfer.attempts = 0;
      void this.#fetch(transfer);
    }
  }

  views(): FileView[] {
    return [...this.#transfers.values()].map(({ view }) => view);
  }

  /**
   * Offers a file. Resolves when it is known which file it is; what becomes of it is told by `onChange`.
   * @throws RefusalError `peer-incompatible` when the file cannot be read.
   */
  async send(peer: string, path: string, policy: Policy, icon?: FileIcon): Promise<FileView> {
    const source = await this.#open(path);
    const transfer = this.#begin({
      ...(icon === undefined ? {} : { icon }),
      peer,
      direction: 'out',
      name: source.name,
      type: source.type,
      size: source.size,
      state: 'preparing',
      path,
    });
    transfer.policy = policy;
    transfer.enter('preparing');
    void this.#push(transfer, source);
    return transfer.view;
  }

  /** The user wants the file; when its sender does not wait any more it is fetched. False when it is not offered. */
  accept(id: string): boolean {
    if (this.#decide(id, 'accepted')) return true;
    const transfer = this.#unanswered(id);
    if (transfer !== undefined) void this.#fetch(transfer);
    return transfer !== undefined;
  }

  decline(id: string): boolean {
    if (this.#decide(id, 'declined')) return true;
    const transfer = this.#unanswered(id);
    transfer?.enter('declined');
    return transfer !== undefined;
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
    const transfer = this.#transfers.get(id);
    if (transfer === undefined || !['paused', 'interrupted'].includes(transfer.view.state)) return false;
    if (consent) this.#options.policies.consent(transfer.view.peer);
    transfer.attempts = 0;
    transfer.isPausedHere = false;
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
    transfer.opening?.abort();
    void this.#discard(transfer);
    return true;
  }

  /** A file that came to be offered, and whose sender did not wait for the answer. */
  #unanswered(id: string): FileTransfer | undefined {
    const transfer = this.#transfers.get(id);
    if (transfer?.view.direction !== 'in' || transfer.view.state !== 'offered') return undefined;
    return this.#questions.has(id) ? undefined : transfer;
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
      if (remote.media.direction === 'recvonly') await this.#answerFetch(invite, peer, remote, attributes);
      else await this.#answerPush(invite, peer, remote, attributes);
    } catch (error) {
      const refused = asRefusalError(error, 'peer-incompatible');
      context.ports.log.log('warn', 'file.refused', { code: refused.code, reason: describeError(error) });
      invite.reject(488, { warning: refused.happened.replace(/[^\x20-\x7e]|["\\]/g, "'").slice(0, 200) });
      onRefused(peer, refused.refusal(refused.meaning === 'file-offer' ? 'file-offer' : 'invitation'));
    }
  }

  /** Ends what is under way; resolves when what came in so far is kept for the next run. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const question of [...this.#questions.values()]) question('gone');
    for (const { running } of this.#transfers.values()) running?.stop(endReasons.lost);
    this.#offered.clear();
    await this.#restored;
    await Promise.all(this.#receiving);
  }

  /** Never rejects. */
  async #receive(receiving: FileReceiving, stream: EstablishedStream): Promise<void> {
    const running = receiving.run(stream).finally(() => this.#receiving.delete(running));
    this.#receiving.add(running);
    await running;
  }

  async #restore(): Promise<void> {
    const { storage, self, context } = this.#options;
    try {
      for (const { note, present } of (await storage?.kept(self)) ?? []) {
        if (this.#isStopped) return;
        const transfer = new FileTransfer(viewOfNote(note, present), this.#options.onChange);
        transfer.hashes = note.hashes;
        transfer.isPausedHere = note.isPaused;
        this.#transfers.set(transfer.id, transfer);
        transfer.enter(transfer.view.state);
      }
    } catch (error) {
      context.ports.log.log('warn', 'file.not-restored', { reason: describeError(error) });
    }
  }

  async #push(transfer: FileTransfer, source: FileSource): Promise<void> {
    const { peer, icon } = transfer.view;
    const policy = transfer.policy ?? this.#options.policies.policyFor(peer);
    try {
      transfer.hashes = await source.hashes();
      if (transfer.isOver) return;
      const level = this.#weakestAllowed(peer, policy);
      const offered = { id: transfer.id, peer, source, hashes: transfer.hashes, level };
      this.#offered.add(offered);
      transfer.enter('offered');
      const lines = this.#lines(transfer, { modifiedAt: source.modifiedAt });
      const part = icon === undefined ? undefined : iconPart(icon, this.#options.context.ports.random);
      transfer.opening = new AbortController();
      const { signal } = transfer.opening;
      const [withIcon, plain] = [sendPurpose(lines, part), sendPurpose(lines)];
      const stream = await this.#openStream(peer, policy, { ...withIcon, signal }, { ...plain, signal });
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
    const { path = '' } = transfer.view;
    try {
      await this.#push(transfer, await this.#open(path));
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
    const { context, policies, config, isContact } = this.#options;
    const { selector } = attributes;
    if (selector === undefined) return;
    checkOffer(selector, config);
    if (this.#questions.size >= limits.offeredFiles) {
      throw refuse('peer-refused', 'file-offer', { happened: 'Too many files wait for an answer' });
    }
    const judged = judgeInvite(context, invite, peer, remote, policies.policyFor(peer));
    // The user is not asked about what cannot be had.
    if (judged.level === 'e2e') context.keys.requirePossible();
    const known = this.#known(peer, selector);
    const isBusy = known !== undefined && !['paused', 'interrupted'].includes(known.view.state);
    if (isBusy && this.#unanswered(known.id) === undefined) {
      invite.reject(486, { warning: 'this file is on its way already' });
      return;
    }
    const named = {
      name: selector.name ?? 'file',
      type: selector.type ?? 'application/octet-stream',
      size: selector.size,
    };
    const transfer = known ?? this.#begin({ ...named, peer, direction: 'in', state: 'offered' });
    transfer.hashes = selector.hashes;
    const icon = findIcon(attributes.icon, invite.related);
    const offered = { ...named, level: judged.level, ...(icon === undefined ? {} : { icon }) };
    // The user has taken this file already, or takes those of contacts; a pause of the user's own is asked about.
    const isTaken = known?.view.evidence !== undefined && !known.isPausedHere;
    const isWanted = isTaken || (known === undefined && config.autoAccept === 'contacts' && isContact(peer));
    const asked = isWanted ? Promise.resolve('accepted' as const) : this.#ask(transfer, invite);
    // Told when the answer can be taken.
    transfer.enter('offered', offered);
    const decision = await asked;
    // It stays offered: the user may still take it, by fetching it.
    if (decision === 'gone') return;
    if (decision === 'declined') {
      invite.reject(603);
      transfer.enter('declined');
      if (known !== undefined) void this.#discard(transfer);
      return;
    }
    transfer.isPausedHere = false;
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
        judged.invite.reject(603, { warning: restWillBeFetched });
        await this.#fetch(transfer);
        return;
      }
      const receiving = new FileReceiving(context.ports, this.#options.self, transfer, target);
      const lines = this.#lines(transfer, { range: attributes.range, transferId: attributes.transferId });
      const purpose = receivePurpose(lines, (isWrapped) => receiving.sink(isWrapped));
      const stream = await answerInvite(context, judged, purpose).catch(async (error: unknown) => {
        await target.suspend();
        throw error;
      });
      await this.#receive(receiving, stream);
    } catch (error) {
      // Declined, not failed: once there is room the receiver fetches it.
      judged.invite.reject(603, { warning: 'the file cannot be stored now' });
      this.#notOpened(transfer, error);
    }
    this.#resumeLater(transfer);
  }

  /** Fetches what is missing from the side that offered it (RFC 5547 section 8.2.2). */
  async #fetch(transfer: FileTransfer): Promise<void> {
    if (this.#fetching.has(transfer.id)) return;
    this.#fetching.add(transfer.id);
    await this.#fetchOnce(transfer);
    this.#fetching.delete(transfer.id);
    this.#resumeLater(transfer);
  }

  async #fetchOnce(transfer: FileTransfer): Promise<void> {
    const { context, policies, self } = this.#options;
    const { peer, size, level } = transfer.view;
    if (this.#isStopped || transfer.isOver || transfer.running !== undefined) return;
    transfer.enter('waiting');
    let target: FileTarget | undefined;
    try {
      if (!acceptsIncoming(policies.policyFor(peer), level ?? 'none')) {
        throw refuse('policy-not-met', 'file', { reached: level ?? 'none', required: policies.policyFor(peer) });
      }
      target = await this.#target(transfer);
      const receiving = new FileReceiving(context.ports, self, transfer, target);
      const start = target.present;
      const range = { start: start + 1, ...(size === undefined ? {} : { stop: size }) };
      const lines = this.#lines(transfer, start === 0 ? {} : { range });
      const purpose = receivePurpose(lines, (isWrapped) => receiving.sink(isWrapped));
      const stream = await this.#openStream(peer, fetchPolicy(level), purpose);
      await this.#receive(receiving, stream);
    } catch (error) {
      await target?.suspend();
      this.#notOpened(transfer, error);
    }
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
    transfer.reopen();
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
  async #openStream(
    peer: string,
    policy: Policy,
    purpose: StreamPurpose,
    plainPurpose = purpose,
  ): Promise<EstablishedStream> {
    const { context, policies } = this.#options;
    const stream = await openUnderPolicy(context, policies, peer, policy, async (protection, judged) => {
      const open = (wanted: StreamPurpose) =>
        openOutgoing(context, peer, protection, (level) => judgeLevel(judged, level), wanted);
      try {
        return await open(purpose);
      } catch (error) {
        // RFC 5547 section 8.8: a peer that takes no multipart body gets the offer without its picture.
        if (plainPurpose === purpose || !isBodyRefused(error)) throw error;
        return open(plainPurpose);
      }
    });
    const verdict = judgeSending(policy, stream.level, policies.agreedLevel(peer));
    if (verdict === 'satisfied') return stream;
    stream.channel.close();
    void stream.sip.end();
    if (verdict === 'not-met') throw refuse('policy-not-met', 'file', { reached: stream.level, required: policy });
    policies.noteOffer(peer, stream.level);
    throw refuse('consent-required', 'file', { offered: stream.level, reached: stream.level, required: policy });
  }

  #resumeLater(transfer: FileTransfer): void {
    const { state, problem } = transfer.view;
    if (state !== 'interrupted' || !isTemporary(problem?.code) || this.#isStopped) return;
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
    const { direction, evidence } = transfer.view;
    const problem = refused.refusal(direction === 'out' && evidence === undefined ? 'session' : 'file');
    if (direction === 'in') {
      const isGone = evidence === undefined && ['peer-incompatible', 'peer-refused'].includes(refused.code);
      // What is there stays good: the same file may be offered again, or fetched once the reason is gone.
      transfer.enter(isGone ? 'failed' : 'interrupted', { problem });
    } else if (refused.code === 'timeout') {
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
    this.#options.context.ports.clock.after(declinedMilliseconds, () => {
      if (transfer.view.state === 'declined') this.#offered.withdraw(transfer.id);
    });
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
  #known(peer: string, selector: FileSelector): FileTransfer | undefined {
    const { self } = this.#options;
    if (selector.hashes.length === 0) return undefined;
    const wanted = keyOf(self, peer, selector);
    return [...this.#transfers.values()].find(
      (transfer) => !transfer.isOver && transfer.view.direction === 'in' && this.#keyOf(transfer) === wanted,
    );
  }

  #keyOf({ id, view: { peer, size }, hashes }: FileTransfer): string {
    // Without a hash nobody knows whether the next attempt brings the same file.
    if (hashes.length === 0) return id;
    return keyOf(this.#options.self, peer, { ...(size === undefined ? {} : { size }), hashes });
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

  /** @throws RefusalError `storage-failed` */
  async #target(transfer: FileTransfer): Promise<FileTarget> {
    const { name, size, evidence } = transfer.view;
    const { storage, config } = this.#options;
    if (storage === undefined) throw refuse('peer-incompatible', 'file', { happened: 'No files are kept here' });
    try {
      return await storage.openTarget({
        key: this.#keyOf(transfer),
        continues: evidence !== undefined,
        name,
        size,
        maxOctets: config.maxOctets ?? limits.fileOctets,
        hashes: transfer.hashes,
      });
    } catch (error) {
      throw storageProblem(error);
    }
  }

  async #discard(transfer: FileTransfer): Promise<void> {
    if (transfer.view.direction === 'out') return;
    try {
      await this.#options.storage?.discard(this.#keyOf(transfer));
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

/** RFC 3261 section 21.4.13: 415 says that a body of this kind is not taken. */
function isBodyRefused(error: unknown): boolean {
  return error instanceof RefusalError && error.cause instanceof ProtocolError && error.cause.hint.sip === 415;
}

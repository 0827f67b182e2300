import { describeError } from '../../base/errors.ts';
import type { FileTransfer as FileAttributes } from '../../protocol/sdp/index.ts';
import { limits } from '../limits.ts';
import { acceptsIncoming } from '../policy.ts';
import { asRefusalError, refuse } from '../refusal.ts';
import type { RemoteStream } from '../sessions/remote-stream.ts';
import { answerInvite, judgeInvite, type JudgedInvite } from '../sessions/session-answerer.ts';
import type { EstablishedStream } from '../sessions/session-opener.ts';
import type { IncomingInvite } from '../sip/index.ts';
import { findIcon } from './file-icon.ts';
import type { FileParts } from './file-parts.ts';
import { receivePurpose } from './file-purpose.ts';
import { FileReceiving } from './file-receiver.ts';
import { checkOffer, fetchPolicy, isTemporary, restWillBeFetched } from './file-rules.ts';
import type { FileTarget } from './file-storage.ts';
import { fileLines, openFileStream } from './file-streams.ts';
import type { FileTransfer } from './file-transfer.ts';
import { storageProblem } from './storage-problem.ts';

/** Waiting times before a lost connection is made again; after the last the user has to. */
const resumeMilliseconds = [1_000, 3_000, 10_000, 30_000, 60_000, 120_000];

/** The user's answer to a file that somebody offers. */
type Decision = 'accepted' | 'declined' | 'gone';

/** Files that come in: asked about, taken, and fetched after interruptions, also those of an earlier run. */
export class IncomingFiles {
  readonly #parts: FileParts;
  readonly #questions = new Map<string, (decision: Decision) => void>();
  /** Being fetched, from the first step on. */
  readonly #fetching = new Set<string>();
  /** Sessions over which files come in. */
  readonly #receiving = new Set<Promise<void>>();

  constructor(parts: FileParts) {
    this.#parts = parts;
  }

  /** False when it is not offered. */
  accept(id: string): boolean {
    if (this.decide(id, 'accepted')) return true;
    const transfer = this.#unanswered(id);
    if (transfer !== undefined) void this.fetch(transfer);
    return transfer !== undefined;
  }

  /** False when it is not offered. */
  decline(id: string): boolean {
    if (this.decide(id, 'declined')) return true;
    const transfer = this.#unanswered(id);
    transfer?.enter('declined');
    return transfer !== undefined;
  }

  /** Answers an offer that is open. False when there is none. */
  decide(id: string, decision: Decision): boolean {
    const question = this.#questions.get(id);
    question?.(decision);
    return question !== undefined;
  }

  /** What an earlier run left. Never rejects. */
  async restore(): Promise<void> {
    const { storage, self, context, registry } = this.#parts;
    try {
      for (const kept of (await storage?.kept(self)) ?? []) {
        if (this.#parts.isStopped()) return;
        registry.restore(kept);
      }
    } catch (error) {
      context.ports.log.log('warn', 'file.not-restored', { reason: describeError(error) });
    }
  }

  /** Goes on with all that was interrupted by something that passes. */
  resumeAll(): void {
    for (const transfer of this.#parts.registry.all()) {
      const { direction, state, problem } = transfer.view;
      if (direction !== 'in' || state !== 'interrupted' || !isTemporary(problem?.code)) continue;
      transfer.attempts = 0;
      void this.fetch(transfer);
    }
  }

  /** Resolves when what came in so far is kept for the next run. */
  async stop(): Promise<void> {
    for (const question of [...this.#questions.values()]) question('gone');
    await Promise.all(this.#receiving);
  }

  /** Fetches what is missing from the side that offered it (RFC 5547 section 8.2.2). */
  async fetch(transfer: FileTransfer): Promise<void> {
    if (this.#fetching.has(transfer.id)) return;
    this.#fetching.add(transfer.id);
    await this.#fetchOnce(transfer);
    this.#fetching.delete(transfer.id);
    this.#resumeLater(transfer);
  }

  /** Answers an invitation that offers a file, once the user has. @throws RefusalError */
  async answerPush(
    invite: IncomingInvite,
    peer: string,
    remote: RemoteStream,
    attributes: FileAttributes,
  ): Promise<void> {
    const { context, policies, config, isContact } = this.#parts;
    const { selector } = attributes;
    if (selector === undefined) return;
    checkOffer(selector, config);
    if (this.#questions.size >= limits.offeredFiles) {
      throw refuse('peer-refused', 'file-offer', { happened: 'Too many files wait for an answer' });
    }
    const judged = judgeInvite(context, invite, peer, remote, policies.policyFor(peer));
    // The user is not asked about what cannot be had.
    if (judged.level === 'e2e') context.keys.requirePossible();
    const known = this.#parts.registry.known(peer, selector);
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
    const transfer = known ?? this.#parts.registry.begin({ ...named, peer, direction: 'in', state: 'offered' });
    transfer.hashes = selector.hashes;
    const icon = findIcon(attributes.icon, invite.related);
    // What came of it already keeps the level that was proved for it.
    const level = known?.view.evidence === undefined ? { level: judged.level } : {};
    const offered = { ...named, ...level, ...(icon === undefined ? {} : { icon }) };
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
      if (known !== undefined) void this.discard(transfer);
      return;
    }
    transfer.isPausedHere = false;
    await this.#take(transfer, judged, attributes);
  }

  /** Nothing of it stays on the disk. Never rejects. */
  async discard(transfer: FileTransfer): Promise<void> {
    try {
      await this.#parts.storage?.discard(this.#parts.registry.keyOf(transfer));
    } catch (error) {
      this.#parts.context.ports.log.log('warn', 'file.not-discarded', { reason: describeError(error) });
    }
  }

  async #take(transfer: FileTransfer, judged: JudgedInvite, attributes: FileAttributes): Promise<void> {
    const { context } = this.#parts;
    transfer.enter('waiting');
    try {
      const target = await this.#target(transfer);
      const wholeFrom = (attributes.range?.start ?? 1) - 1;
      if (target.present !== wholeFrom) {
        await target.suspend();
        // RFC 5547 section 8.3.1: the range of an offer cannot be changed by its answer. So it is refused and fetched.
        judged.invite.reject(603, { warning: restWillBeFetched });
        await this.fetch(transfer);
        return;
      }
      const receiving = new FileReceiving(context.ports, this.#parts.self, transfer, target);
      const lines = fileLines(this.#parts.context.ports.random, transfer, {
        range: attributes.range,
        transferId: attributes.transferId,
      });
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

  async #fetchOnce(transfer: FileTransfer): Promise<void> {
    const { context, policies, self } = this.#parts;
    const { peer, size, level } = transfer.view;
    if (this.#parts.isStopped() || transfer.isOver || transfer.running !== undefined) return;
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
      const lines = fileLines(this.#parts.context.ports.random, transfer, start === 0 ? {} : { range });
      const purpose = receivePurpose(lines, (isWrapped) => receiving.sink(isWrapped));
      const stream = await openFileStream({ ...this.#parts, peer, policy: fetchPolicy(level), purpose });
      await this.#receive(receiving, stream);
    } catch (error) {
      await target?.suspend();
      this.#notOpened(transfer, error);
    }
  }

  /** Never rejects. */
  async #receive(receiving: FileReceiving, stream: EstablishedStream): Promise<void> {
    const running = receiving.run(stream).finally(() => this.#receiving.delete(running));
    this.#receiving.add(running);
    await running;
  }

  #resumeLater(transfer: FileTransfer): void {
    const { state, problem } = transfer.view;
    if (state !== 'interrupted' || !isTemporary(problem?.code)) return;
    const wait = resumeMilliseconds[transfer.attempts];
    if (wait === undefined) return;
    transfer.attempts += 1;
    this.#parts.later(wait, () => {
      if (transfer.view.state === 'interrupted') void this.fetch(transfer);
    });
  }

  #notOpened(transfer: FileTransfer, error: unknown): void {
    const refused = asRefusalError(error, 'connection-lost');
    const { log } = this.#parts.context.ports;
    log.log('warn', 'file.not-opened', { transfer: transfer.id, code: refused.code, reason: refused.happened });
    if (transfer.running !== undefined) return;
    const hasNothing = transfer.view.evidence === undefined;
    const isGone = hasNothing && ['peer-incompatible', 'peer-refused'].includes(refused.code);
    // What is there stays good: the same file may be offered again, or fetched once the reason is gone.
    transfer.enter(isGone ? 'failed' : 'interrupted', { problem: refused.refusal('file') });
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

  /** A file that came to be offered, and whose sender did not wait for the answer. */
  #unanswered(id: string): FileTransfer | undefined {
    const transfer = this.#parts.registry.get(id);
    if (transfer?.view.direction !== 'in' || transfer.view.state !== 'offered') return undefined;
    return this.#questions.has(id) ? undefined : transfer;
  }

  /** @throws RefusalError `storage-failed` */
  async #target(transfer: FileTransfer): Promise<FileTarget> {
    const { name, type, size, evidence } = transfer.view;
    const { storage, config } = this.#parts;
    if (storage === undefined) throw refuse('peer-incompatible', 'file', { happened: 'No files are kept here' });
    try {
      return await storage.openTarget({
        key: this.#parts.registry.keyOf(transfer),
        continues: evidence !== undefined,
        name,
        type,
        size,
        maxOctets: config.maxOctets ?? limits.fileOctets,
        hashes: transfer.hashes,
      });
    } catch (error) {
      throw storageProblem(error);
    }
  }
}

import type { Clock } from '../../base/clock.ts';
import { describeError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { isAtLeast, type Policy, type ProtectionLevel } from '../../base/protection-level.ts';
import type { Random } from '../../base/random.ts';
import type { ChatMessage, MessageWay } from '../chat-message.ts';
import { limits } from '../limits.ts';
import { promisedLevel } from '../policy.ts';
import { refuse, type Refusal, type RefusalError } from '../refusal.ts';
import type { AccountStore, OutboxEntry } from '../store/index.ts';
import { TakenBack, type Carrier } from './carrier.ts';
import { OutboxLane } from './outbox-lane.ts';
import { OutboxRecord } from './outbox-record.ts';
import { following, raisedMeanwhile, stoppedHere, takenBackByStorage, unstored, withoutDelay } from './outbox-words.ts';
import { SendingSlots } from './sending-slots.ts';

export interface OutboxOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly store: AccountStore;
  readonly carriers: Readonly<Record<MessageWay, Carrier>>;
  /** `settling`: a registration is under way, whose outcome is awaited. */
  readonly registration: () => 'registered' | 'settling' | 'none';
  /** How long a message is tried. */
  readonly lifetimeMilliseconds: number;
  readonly onChange: (message: ChatMessage) => void;
}

/** A message of ours that waits or is on its way, for the user. */
export interface OutboxView {
  readonly message: ChatMessage;
  readonly policy: Policy;
  readonly attempts: number;
  /** When it is given up, milliseconds since 1970. */
  readonly expiresAt: number;
}

/** `gone`: the storage has taken it back. */
type Settled = 'over' | 'waits' | 'gone';

/**
 * What the user wrote and this device still owes to the other side: every message is durable before it leaves, is tried until
 * it is taken, refused or given up, and never leaves less protected than was promised (docs/outbox.md).
 */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #record: OutboxRecord;
  readonly #lanes = new Map<string, OutboxLane>();
  /** Told when the first attempt is over, or it is clear that the message waits. */
  readonly #awaited = new Map<string, (how: Settled) => void>();
  readonly #slots = new SendingSlots();
  #isStopped = false;

  /** Takes up what an earlier run of the program left. */
  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#record = new OutboxRecord(options);
    for (const entry of this.#record.entries()) {
      if (this.#record.message(entry.id) === undefined) this.#record.forget(entry.id);
      else this.#lane(entry.peer).add(entry);
    }
  }

  /**
   * From now on the message is owed. Resolves when its first attempt is over or it is clear, and durable, that it waits; with
   * the message as it then is.
   * @param agreed the weakest level to which the user agreed for this contact
   * @throws RefusalError when it could not be kept: then it is not owed
   */
  async accept(message: ChatMessage, policy: Policy, agreed: ProtectionLevel | undefined): Promise<ChatMessage> {
    const { clock, store, lifetimeMilliseconds } = this.#options;
    if (store.outbox.count() >= limits.outboxMessages) {
      throw refuse('connection-lost', 'message', { happened: 'Too many messages wait to be sent' });
    }
    const entry = this.#stored(() =>
      this.#record.accept(message, {
        peer: message.conversation,
        way: message.way,
        policy,
        floor: promisedLevel(policy, agreed),
        expiresAt: clock.now() + lifetimeMilliseconds,
      }),
    );
    const settled = new Promise<Settled>((resolve) => this.#awaited.set(message.id, resolve));
    const lane = this.#lane(message.conversation);
    lane.add(entry);
    if (lane.heldBy !== undefined && !this.#isSettling(lane.heldBy)) this.#explain([entry], lane.heldBy);
    lane.pump();
    const how = await settled;
    await this.#keepOrRefuse(message.id);
    const kept = this.#record.message(message.id);
    if (kept === undefined && how !== 'over') throw takenBackByStorage();
    return kept ?? message;
  }

  list(): readonly OutboxView[] {
    return this.#record.entries().flatMap(({ id, policy, attempts, expiresAt }) => {
      const message = this.#record.message(id);
      return message === undefined ? [] : [{ message, policy, attempts, expiresAt }];
    });
  }

  owes(id: string): boolean {
    return this.#options.store.outbox.get(id) !== undefined;
  }

  /** Tries what waits now, whatever it waits for. False when nothing of this id is owed. */
  retry(id: string): boolean {
    const entry = this.#options.store.outbox.get(id);
    if (entry === undefined) return false;
    const now = withoutDelay(entry);
    const lane = this.#lane(entry.peer);
    if (!lane.isUnderWay(id)) {
      this.#options.store.outbox.put(now);
      lane.change((one) => (one.id === id ? now : one));
    }
    lane.wake('user');
    return true;
  }

  /**
   * Takes a message back that has not left: it is gone. One that may have arrived is not tried again: it is `failed`, uncertain.
   * Undefined when nothing of this id is owed, or it is on its way.
   */
  cancel(id: string): { readonly outcome: 'taken-back' | 'stopped'; readonly message: ChatMessage } | undefined {
    const entry = this.#options.store.outbox.get(id);
    const lane = entry === undefined ? undefined : this.#lane(entry.peer);
    if (entry === undefined || lane === undefined || lane.hasLeft(id)) return undefined;
    if (entry.uncertain) {
      this.#record.ended(id, 'failed', stoppedHere().refusal());
    }
    const message = entry.uncertain ? this.#record.message(id) : this.#record.remove(id);
    lane.drop(id);
    this.#settled(id);
    return message === undefined ? undefined : { outcome: entry.uncertain ? 'stopped' : 'taken-back', message };
  }

  /** What the peer's device says of a message. */
  told(id: string, event: 'delivered' | 'displayed' | 'failed', problem?: Refusal): void {
    const peer = this.#record.message(id)?.conversation;
    if (!this.#record.told(id, event, problem) || peer === undefined) return;
    this.#lanes.get(peer)?.drop(id);
    this.#settled(id);
  }

  /** A policy for a contact was set: what waits may from now on leave only at what it promises, or at what was promised before. */
  raise(peer: string, policy: Policy, agreed: ProtectionLevel | undefined): void {
    const lane = this.#lanes.get(peer);
    lane?.change((entry) => this.#record.raise(entry, policy, promisedLevel(policy, agreed)));
    lane?.wake('policy');
  }

  /** The registration changed, or keys can be had again. */
  wake(what: 'registration' | 'keys'): void {
    for (const lane of [...this.#lanes.values()]) lane.wake(what);
  }

  stop(): void {
    this.#isStopped = true;
    for (const lane of this.#lanes.values()) lane.stop();
    for (const id of [...this.#awaited.keys()]) this.#settled(id);
  }

  #lane(peer: string): OutboxLane {
    const known = this.#lanes.get(peer);
    if (known !== undefined) return known;
    const { clock, random, registration } = this.#options;
    const lane: OutboxLane = new OutboxLane(peer, {
      clock,
      random,
      registration,
      takeSlot: (one) => this.#slots.take(one),
      freeSlot: (one) => {
        if (one.isEmpty) this.#lanes.delete(one.peer);
        this.#slots.free(one);
      },
      attempt: (entry, left) => this.#attempt(entry, left),
      onWaits: (entry, problem) => this.#waits(entry, problem),
      onHeld: (behind, problem) => this.#explain(behind, problem),
      onEnded: (entry, why, problem) => this.#ended(entry, why, problem),
      isAwaited: (id) => this.#awaited.has(id),
      onFault: (error) => this.#options.log.log('error', 'outbox.unexpected', { reason: describeError(error) }),
    });
    this.#lanes.set(peer, lane);
    return lane;
  }

  async #attempt(entry: OutboxEntry, left: (entry: OutboxEntry) => void): Promise<void> {
    const { carriers, store } = this.#options;
    const message = this.#record.message(entry.id);
    if (message === undefined) {
      this.#record.forget(entry.id);
      this.#settled(entry.id, 'gone');
      throw new TakenBack();
    }
    const carried = await carriers[entry.way].carry({
      message,
      entry,
      messageId: message.messageId ?? message.id,
      isAgain: entry.uncertain,
      isWanted: () => !this.#isStopped && store.outbox.get(entry.id)?.floor === entry.floor,
      leaving: async (protection) => {
        const now = this.#owedAt(entry, protection.level);
        left(this.#stored(() => this.#record.left(now, protection)));
        await this.#durable();
        this.#owedAt(entry, protection.level);
      },
    });
    // What the network took is taken, also when the account was stopped meanwhile.
    this.#record.carried(entry.id, carried);
    this.#settled(entry.id);
  }

  /**
   * What is owed, now that it is about to leave at `level`: whatever was decided on the way here, the policy may have become
   * stricter meanwhile.
   */
  #owedAt({ id, floor }: OutboxEntry, level: ProtectionLevel): OutboxEntry {
    const now = this.#options.store.outbox.get(id);
    if (now === undefined || this.#isStopped) {
      this.#settled(id, 'gone');
      throw new TakenBack();
    }
    if (isAtLeast(level, now.floor)) return now;
    throw now.floor === floor
      ? refuse('policy-not-met', 'message', { reached: level, required: now.policy })
      : raisedMeanwhile();
  }

  #waits(entry: OutboxEntry, problem: RefusalError): void {
    const meaning = entry.uncertain ? 'again' : 'waiting';
    try {
      this.#record.waits(entry, problem.refusal(meaning));
      this.#options.log.log('info', 'outbox.waits', { id: entry.id, code: problem.code, attempts: entry.attempts });
    } finally {
      this.#settled(entry.id, 'waits');
    }
  }

  /** Those who still wait for an outcome are told why it will take longer; the others know. */
  #explain(behind: readonly OutboxEntry[], problem: RefusalError): void {
    for (const entry of behind) {
      const { id, uncertain } = entry;
      if (!this.#awaited.has(id) && problem.code !== 'not-registered') continue;
      const why = problem.code === 'not-registered' ? problem : following(entry, problem);
      this.#record.explains(id, why.refusal(uncertain ? 'again' : 'waiting'));
      this.#settled(id, 'waits');
    }
  }

  #ended({ id, attempts, uncertain }: OutboxEntry, why: 'answered' | 'expired', problem: RefusalError): void {
    const event = attempts === 0 && why === 'answered' ? 'refused' : 'failed';
    try {
      this.#record.ended(id, event, problem.refusal(uncertain ? 'uncertain' : 'message'));
      this.#options.log.log('info', 'outbox.ended', { id, state: event, code: problem.code, attempts });
    } finally {
      this.#settled(id);
    }
  }

  /** What it waits for is about to be settled: the outcome is worth waiting for. */
  #isSettling({ code }: RefusalError): boolean {
    return code === 'not-registered' && this.#options.registration() !== 'none';
  }

  #settled(id: string, how: Settled = 'over'): void {
    this.#awaited.get(id)?.(how);
    this.#awaited.delete(id);
  }

  /** A message that waits is promised to the user only once it is durable. */
  async #keepOrRefuse(id: string): Promise<void> {
    if (this.#isStopped || !this.owes(id)) return;
    try {
      await this.#durable();
    } catch (error) {
      const lane = this.#lane(this.#record.message(id)?.conversation ?? '');
      this.#record.remove(id);
      lane.drop(id);
      throw error;
    }
  }

  #stored<Result>(write: () => Result): Result {
    try {
      return write();
    } catch (error) {
      throw unstored(error);
    }
  }

  #durable(): Promise<void> {
    return this.#options.store.durable().catch((error: unknown) => {
      throw unstored(error);
    });
  }
}

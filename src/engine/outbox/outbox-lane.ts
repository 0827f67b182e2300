import type { CancelTimer, Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import { asRefusalError, refuse, type RefusalError } from '../refusal.ts';
import type { OutboxEntry } from '../store/index.ts';
import { FullJitter } from '../tickets/full-jitter.ts';
import { TakenBack } from './carrier.ts';
import { expired, withoutDelay } from './outbox-words.ts';
import { longestRetryAfterSeconds, meaningOf, type AnswerMeaning } from './what-answers-mean.ts';

export interface LaneOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** `settling`: a registration is under way, whose outcome is awaited. */
  readonly registration: () => 'registered' | 'settling' | 'none';
  /** False when as many conversations as may be are sending; the lane is pumped again when one has done. */
  readonly takeSlot: (lane: OutboxLane) => boolean;
  readonly freeSlot: (lane: OutboxLane) => void;
  /**
   * One attempt. Calls `left` when its octets may leave. @throws whatever it failed with, `TakenBack` among others
   */
  readonly attempt: (entry: OutboxEntry, left: (entry: OutboxEntry) => void) => Promise<void>;
  /** It waits, now for this. */
  readonly onWaits: (entry: OutboxEntry, problem: RefusalError) => void;
  /** It is not tried any more; `uncertain` of the entry tells whether it may have arrived. */
  readonly onEnded: (entry: OutboxEntry, why: 'answered' | 'expired', problem: RefusalError) => void;
  /** The user still waits for the outcome of the first attempt. */
  readonly isAwaited: (id: string) => boolean;
  /** The storage failed while it was told what became of a message; after a restart that is found out again. */
  readonly onFault: (error: unknown) => void;
  /** An attempt to bring `first` over keeps everything behind it waiting too. */
  readonly onHeld: (behind: readonly OutboxEntry[], problem: RefusalError) => void;
}

interface Run {
  entry: OutboxEntry;
  readonly before: OutboxEntry;
  hasLeft: boolean;
}

interface Hold {
  readonly waitsFor: AnswerMeaning['waitsFor'];
  readonly problem: RefusalError;
  /** Asked for by the other side: nothing shortens it. */
  readonly notBefore: number;
  readonly cancel: CancelTimer;
}

const longestTimer = 24 * 3_600_000;

/**
 * The messages of one conversation in the order in which they were accepted: the first is tried until it is taken or ended,
 * then the next. Never two together, by whichever way: one of them could be lost and the other not.
 */
export class OutboxLane {
  readonly peer: string;
  readonly #options: LaneOptions;
  readonly #backOff: FullJitter;
  readonly #queue: OutboxEntry[] = [];
  #underWay: Run | undefined;
  #hold: Hold | undefined;
  /** Why the last attempt was in vain. */
  #lastProblem: RefusalError | undefined;
  #isStopped = false;

  constructor(peer: string, options: LaneOptions) {
    this.peer = peer;
    this.#options = options;
    this.#backOff = new FullJitter(options.random);
  }

  get isEmpty(): boolean {
    return this.#queue.length === 0;
  }

  /** Why its first message is not tried at the moment. */
  get heldBy(): RefusalError | undefined {
    return this.#hold?.problem;
  }

  add(entry: OutboxEntry): void {
    this.#queue.push(entry);
  }

  isUnderWay(id: string): boolean {
    return this.#underWay?.entry.id === id;
  }

  hasLeft(id: string): boolean {
    return this.isUnderWay(id) && this.#underWay?.hasLeft === true;
  }

  /** It is settled, or taken back. */
  drop(id: string): void {
    const index = this.#queue.findIndex((entry) => entry.id === id);
    if (index >= 0) this.#queue.splice(index, 1);
    if (index === 0 && this.#underWay === undefined) this.#release();
    this.pump();
  }

  change(change: (entry: OutboxEntry) => OutboxEntry): void {
    for (const entry of [...this.#queue]) this.#replace(change(entry));
  }

  /** Something that it may have waited for has come about; `user`: whatever it waits for is tried now. */
  wake(what: 'registration' | 'keys' | 'policy' | 'user'): void {
    const hold = this.#hold;
    if (hold !== undefined && this.#endsHold(hold, what)) this.#release();
    if (what === 'user') this.#backOff.reset();
    this.pump();
  }

  /** No attempt is made any more; what is under way is not heard. */
  stop(): void {
    this.#isStopped = true;
    this.#release();
  }

  pump(): void {
    while (!this.#isStopped && this.#hold === undefined && this.#underWay === undefined) {
      const [next] = this.#queue;
      if (next === undefined) return;
      const { clock, registration } = this.#options;
      const now = clock.now();
      if (next.expiresAt <= now) {
        this.#end(next, 'expired', expired(this.#lastProblem));
        continue;
      }
      const registered = registration();
      if (registered === 'settling') return;
      if (registered === 'none') {
        this.#holdFor(next, refuse('not-registered', 'waiting'), { waitsFor: 'registration' });
        return;
      }
      const { notBefore = 0 } = next;
      // Nobody is obeyed for longer: what is further away was written before the clock was set back.
      if (notBefore > now && notBefore <= now + longestRetryAfterSeconds * 1000) {
        const problem = refuse('peer-unreachable', 'waiting', { happened: 'The network asked to wait' });
        this.#holdFor(next, problem, { waitsFor: 'time', notBefore });
        return;
      }
      if (!this.#options.takeSlot(this)) return;
      this.#run(next).catch(this.#options.onFault);
    }
  }

  async #run(entry: OutboxEntry): Promise<void> {
    const run: Run = { entry, before: entry, hasLeft: false };
    this.#underWay = run;
    try {
      await this.#options.attempt(entry, (gone) => {
        run.entry = gone;
        run.hasLeft = true;
        this.#replace(gone);
      });
      this.#backOff.reset();
      this.#lastProblem = undefined;
      this.#remove(entry.id);
    } catch (error) {
      // After a stop the mark that it may have left is what the next run of the program goes by.
      if (!this.#isStopped) this.#failed(run, error);
    } finally {
      this.#underWay = undefined;
      this.#options.freeSlot(this);
      this.pump();
    }
  }

  #failed({ entry, before, hasLeft }: Run, error: unknown): void {
    const isThere = this.#queue.some(({ id }) => id === entry.id);
    if (error instanceof TakenBack || !isThere) {
      this.#remove(entry.id);
      return;
    }
    const problem = asRefusalError(error, 'connection-lost');
    const meaning = meaningOf(problem);
    const { clock } = this.#options;
    const uncertain = before.uncertain || (hasLeft && meaning.mayHaveArrived);
    // What needs another flow is the user's to decide while he waits for the outcome; afterwards it is waited for.
    const isHopeless = meaning.waitsFor === 'registration' && problem.code !== 'not-registered';
    if (meaning.next === 'ended' || (isHopeless && this.#options.isAwaited(entry.id))) {
      this.#end({ ...entry, uncertain: uncertain || meaning.mayHaveArrived }, 'answered', problem);
      return;
    }
    if (entry.expiresAt <= clock.now()) {
      this.#end({ ...entry, uncertain }, 'expired', expired(problem));
      return;
    }
    const { notBeforeMilliseconds: pause } = meaning;
    const notBefore = pause === undefined ? undefined : clock.now() + pause;
    const latest = this.#queue.find(({ id }) => id === entry.id) ?? entry;
    const waiting = { ...withoutDelay(latest), uncertain, ...(notBefore === undefined ? {} : { notBefore }) };
    this.#replace(waiting);
    this.#tell(() => this.#options.onWaits(waiting, problem));
    this.#holdFor(waiting, problem, { waitsFor: meaning.waitsFor, ...(notBefore === undefined ? {} : { notBefore }) });
  }

  /** @param notBefore milliseconds since 1970 */
  #holdFor(
    first: OutboxEntry,
    problem: RefusalError,
    { waitsFor, notBefore = 0 }: { readonly waitsFor: AnswerMeaning['waitsFor']; readonly notBefore?: number },
  ): void {
    const { clock, onHeld, registration } = this.#options;
    this.#hold?.cancel();
    const now = clock.now();
    // Without a registration there is nothing that time alone would help.
    const pause = registration() === 'registered' ? Math.max(this.#backOff.next(), notBefore - now) : longestTimer;
    const wait = Math.min(pause, Math.max(0, first.expiresAt - now), longestTimer);
    const cancel = clock.after(wait, () => {
      this.#hold = undefined;
      this.pump();
    });
    this.#hold = { waitsFor, problem, notBefore, cancel };
    this.#lastProblem = problem;
    const behind = this.#queue.filter(({ id }) => !this.isUnderWay(id));
    this.#tell(() => onHeld(behind, problem));
  }

  #endsHold({ waitsFor, notBefore }: Hold, what: 'registration' | 'keys' | 'policy' | 'user'): boolean {
    if (what === 'user') return true;
    if (notBefore > this.#options.clock.now()) return false;
    // A new registration may be a new network: what failed on the old one is tried at once.
    return what !== 'keys' || waitsFor === 'keys';
  }

  #end(entry: OutboxEntry, why: 'answered' | 'expired', problem: RefusalError): void {
    this.#remove(entry.id);
    this.#tell(() => this.#options.onEnded(entry, why, problem));
  }

  /** A storage that fails at what it is told must not keep the lane from its pause: it would try again without one. */
  #tell(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#options.onFault(error);
    }
  }

  #remove(id: string): void {
    const index = this.#queue.findIndex((entry) => entry.id === id);
    if (index >= 0) this.#queue.splice(index, 1);
  }

  #replace(entry: OutboxEntry): void {
    const index = this.#queue.findIndex(({ id }) => id === entry.id);
    if (index >= 0) this.#queue[index] = entry;
  }

  #release(): void {
    this.#hold?.cancel();
    this.#hold = undefined;
  }
}

import type { CancelTimer } from '../../base/clock.ts';
import { Events } from '../../base/events.ts';
import type { KmsConfig } from '../account-config.ts';
import { limits } from '../limits.ts';
import type { EnginePorts, KmsExchange } from '../ports.ts';
import { asRefusalError, RefusalError, type RefusalDetails } from '../refusal.ts';
import { FullJitter, randomBelow } from './full-jitter.ts';
import { KmsClock } from './kms-clock.ts';
import type { KmsCredential, KmsKey } from './kms-credential.ts';
import {
  exchangeWithKms,
  KmsKeyRefused,
  KmsKeyRejected,
  KmsTimeDiffers,
  KmsUnavailable,
  type KmsQuestion,
} from './kms-exchange.ts';
import { explainKmsState, type KmsState, type KmsStateName } from './kms-state.ts';

/** Makes a question with a key, at a time by the KMS's clock. */
export type MakeQuestion<Result> = (key: KmsKey, now: number) => KmsQuestion<Result>;

export interface KmsLinkOptions {
  readonly ports: EnginePorts;
  readonly kms: KmsConfig;
  readonly credential: KmsCredential;
  /** Called when it is time to learn whether a KMS that was away is back: asks it something. */
  readonly probe: () => Promise<void>;
}

export interface KmsLinkEvents {
  readonly state: KmsState;
  /** The KMS answers again after it had not. */
  readonly available: undefined;
}

/** While the KMS is away: nothing is asked before `nextAttempt`, and then one thing alone. */
interface Absence {
  readonly happened: string;
  readonly nextAttempt: number;
  readonly cancelTimer: CancelTimer;
}

const unused = 'The key management server has not been needed yet';
const answers = 'The key management server answers';
const making = 'A key for the key management server is being made with the network';

/**
 * Statuses of a resolve that strangers bring about: a road behind the KMS, to the KMS that issued a foreign ticket (profile 6.2), is
 * blocked, or more messages came than the KMS lets this account resolve. Each message then waits by itself.
 */
const broughtAbout: readonly (number | undefined)[] = [429, 502, 504];
/** The same for a ticket that names another KMS: 503 may be that one's, and whoever sent the ticket chose it. */
const broughtAboutForeign: readonly (number | undefined)[] = [...broughtAbout, 503];

/** What is asked: for a ticket of our own, to resolve one of our KMS, or one of another. */
export type KmsErrand = 'request' | 'resolve' | 'resolve-foreign';

const exchangeOf: Readonly<Record<KmsErrand, KmsExchange>> = {
  request: 'ticketrequest',
  resolve: 'ticketresolve',
  'resolve-foreign': 'ticketresolve',
};

/** Whether a failure is one of our own KMS. */
function tellsOfOurKms(errand: KmsErrand, { status }: KmsUnavailable): boolean {
  if (errand === 'request') return true;
  return !(errand === 'resolve' ? broughtAbout : broughtAboutForeign).includes(status);
}

/**
 * One account's road to its KMS: counts failures of the KMS, not of messages, so that many questions to a KMS that is away make
 * one probe at a time with growing, jittered pauses. The first success resets it all.
 */
export class KmsLink {
  readonly events: Events<KmsLinkEvents>;
  readonly clock: KmsClock;
  readonly #options: KmsLinkOptions;
  readonly #backOff: FullJitter;
  #state: KmsState;
  #absence: Absence | undefined;
  #probe: Promise<void> | undefined;
  #lastKey: KmsKey | undefined;
  #isStopped = false;
  #running = 0;
  readonly #queue: (() => void)[] = [];

  constructor(options: KmsLinkOptions) {
    const { ports } = options;
    this.#options = options;
    this.events = new Events((error) => ports.log.log('error', 'kms.listener-failed', { reason: String(error) }));
    this.clock = new KmsClock(ports.clock, ports.log);
    this.#backOff = new FullJitter(ports.random);
    this.#state = { state: 'ready', since: ports.clock.now(), explanation: explainKmsState('ready', unused) };
  }

  get state(): KmsState {
    return this.#state;
  }

  /**
   * Asks, unless the KMS is away and it is not time yet. Where somebody else's probe is under way it is waited for.
   * @throws RefusalError `kms-unreachable`, `kms-refused` or `kms-answer-invalid`.
   */
  async exchange<Result>(errand: KmsErrand, ask: MakeQuestion<Result>): Promise<Result> {
    while (this.#running >= limits.kmsExchangesAtOnce) await new Promise<void>((resolve) => this.#queue.push(resolve));
    this.#running++;
    try {
      return await this.#exchange(errand, ask);
    } finally {
      this.#running--;
      this.#queue.shift()?.();
    }
  }

  async #exchange<Result>(errand: KmsErrand, ask: MakeQuestion<Result>): Promise<Result> {
    while (this.#absence !== undefined) {
      if (this.#probe !== undefined) {
        await this.#probe;
        continue;
      }
      const { happened, nextAttempt } = this.#absence;
      if (this.#isStopped || this.#options.ports.clock.now() < nextAttempt) {
        throw new RefusalError('kms-unreachable', 'message', { happened, nextAttempt });
      }
      const attempt = this.#attempt(errand, ask);
      this.#probe = attempt.then(
        () => undefined,
        () => undefined,
      );
      void this.#probe.then(() => (this.#probe = undefined));
      return attempt;
    }
    return this.#attempt(errand, ask);
  }

  /** The user does not want to wait: resolves when the probe that follows has ended. */
  async tryNow(): Promise<void> {
    const { clock } = this.#options.ports;
    if (this.#absence !== undefined && this.#probe === undefined) {
      this.#absence.cancelTimer();
      this.#absence = { ...this.#absence, nextAttempt: clock.now(), cancelTimer: () => undefined };
    }
    await this.#options.probe();
    await this.#probe;
  }

  /** No attempt follows any more. */
  stop(): void {
    this.#isStopped = true;
    this.#absence?.cancelTimer();
  }

  async #attempt<Result>(errand: KmsErrand, ask: MakeQuestion<Result>): Promise<Result> {
    const wasProbe = this.#absence !== undefined;
    try {
      const result = await this.#askPersistently(exchangeOf[errand], ask);
      this.#answered();
      return result;
    } catch (error) {
      this.#judge(error, errand, wasProbe);
      throw error instanceof KmsUnavailable ? this.#withNextAttempt(error) : error;
    }
  }

  /**
   * Once more with a fresh key when the KMS did not take this one, once more with its time when it refused for ours, and once more with a
   * new question when the connection had ended before this one.
   */
  async #askPersistently<Result>(kind: KmsExchange, ask: MakeQuestion<Result>): Promise<Result> {
    const { ports, kms, credential } = this.#options;
    const mayRetry = new Set(['key', 'time', 'connection']);
    for (;;) {
      const key = await this.#key();
      try {
        return await exchangeWithKms(ports, kms.address, kind, ask(key, this.clock.now()), this.clock);
      } catch (error) {
        if (error instanceof KmsTimeDiffers && mayRetry.delete('time')) continue;
        if (error instanceof KmsUnavailable && error.isStale && mayRetry.delete('connection')) continue;
        if (!(error instanceof KmsKeyRejected) || !mayRetry.delete('key')) throw error;
        if ((await credential.rejected(key)) === 'give-up') throw error;
        if (this.#lastKey === key) this.#lastKey = undefined;
        ports.log.log('info', 'kms.key-renewed', { mode: credential.mode });
      }
    }
  }

  async #key(): Promise<KmsKey> {
    const { ports, credential } = this.#options;
    const now = ports.clock.now();
    const last = this.#lastKey;
    const isMade = credential.mode === 'gba-aka' || credential.mode === 'gba-digest';
    const hasKey = last !== undefined && (last.validUntil === undefined || last.validUntil > now);
    if (isMade && !hasKey && this.#state.state !== 'unreachable') this.#change('bootstrapping', making);
    try {
      this.#lastKey = await credential.current(now);
      return this.#lastKey;
    } catch (error) {
      const problem = asRefusalError(error, 'kms-unreachable');
      if (problem.code === 'kms-unreachable') throw new KmsUnavailable(problem.happened, undefined, error);
      throw new KmsKeyRefused(problem.code, problem.meaning, problem.details, error);
    }
  }

  #answered(): void {
    const wasReady = this.#state.state === 'ready';
    this.#absence?.cancelTimer();
    this.#absence = undefined;
    this.#backOff.reset();
    this.#change('ready', answers);
    if (!wasReady) this.events.emit('available', undefined);
  }

  #judge(error: unknown, errand: KmsErrand, wasProbe: boolean): void {
    if (!(error instanceof RefusalError)) return;
    if (error instanceof KmsUnavailable) {
      const tellsOfKms = tellsOfOurKms(errand, error);
      // Questions that were under way together failed for one reason: only the first of them counts.
      if (wasProbe || (tellsOfKms && this.#absence === undefined)) this.#goAway(error, tellsOfKms);
      return;
    }
    const isInvalid = error.code === 'kms-answer-invalid';
    const isKey = error instanceof KmsKeyRejected || error instanceof KmsKeyRefused || error instanceof KmsTimeDiffers;
    // A resolve also fails when the message was not what it claims to be: strangers must not decide about our KMS.
    if (isKey || (isInvalid && errand === 'request')) {
      this.#absence?.cancelTimer();
      this.#absence = undefined;
      this.#backOff.reset();
      this.#change('refused', error.happened);
    } else if (!isInvalid || this.#state.state !== 'refused') {
      // It said no to this question: it is there, and knows us.
      this.#answered();
    }
  }

  #goAway(error: KmsUnavailable, tellsOfKms: boolean): void {
    if (this.#isStopped) return;
    const { clock, random, log } = this.#options.ports;
    this.#absence?.cancelTimer();
    // Another KMS, or a limit for messages that came, says when that may be tried again, not when ours may be asked.
    const retryAfter = tellsOfKms ? (error.retryAfterSeconds ?? 0) : 0;
    const asked = Math.min(retryAfter, limits.kmsRetryAfterSeconds) * 1000;
    // Nobody comes back all at once on the second that the KMS named either.
    const pause = Math.max(this.#backOff.next(), asked === 0 ? 0 : asked + randomBelow(random, asked / 10 + 1_000));
    const happened = tellsOfKms ? error.happened : (this.#absence?.happened ?? error.happened);
    const nextAttempt = clock.now() + pause;
    const cancelTimer = clock.after(pause, () => void this.#options.probe());
    this.#absence = { happened, nextAttempt, cancelTimer };
    log.log('info', 'kms.away', { pause });
    this.#change('unreachable', happened, nextAttempt);
  }

  #withNextAttempt({ happened, cause }: KmsUnavailable): RefusalError {
    const nextAttempt = this.#absence?.nextAttempt;
    const details: RefusalDetails = { happened, ...(nextAttempt === undefined ? {} : { nextAttempt }) };
    return new RefusalError('kms-unreachable', 'message', details, cause);
  }

  #change(state: KmsStateName, happened: string, nextAttempt?: number): void {
    const before = this.#state;
    const { notable } = this.clock;
    const after: KmsState = {
      state,
      since: state === before.state ? before.since : this.#options.ports.clock.now(),
      explanation: explainKmsState(state, happened),
      ...(nextAttempt === undefined ? {} : { nextAttempt }),
      ...(notable === undefined ? {} : { clockOffsetSeconds: Math.round(notable / 1000) }),
    };
    const isSame =
      before.state === state &&
      before.explanation === after.explanation &&
      before.nextAttempt === nextAttempt &&
      before.clockOffsetSeconds === after.clockOffsetSeconds;
    this.#state = after;
    if (!isSame) this.events.emit('state', after);
  }
}

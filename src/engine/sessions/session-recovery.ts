import type { CancelTimer, Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import type { SessionView } from '../chat-message.ts';
import { limits } from '../limits.ts';
import { asRefusalError, refuse, type RefusalCode, type RefusalError } from '../refusal.ts';
import type { UnsettledMessage } from './unsettled-message.ts';

/**
 * How a session ended:
 * - `here`: we wanted it so, and nothing follows
 * - `there`: the other side ended the dialog
 * - `closed`: its connection was closed in order; the BYE that would make it `there` may still come
 * - `lost`: its connection broke, or nobody answers any more
 * - `moved`: this device has another address
 */
export type SessionEnd = 'here' | 'there' | 'closed' | 'lost' | 'moved';

export interface RecoveryOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly lost: SessionView;
  readonly end: Exclude<SessionEnd, 'here'>;
  readonly messages: readonly UnsettledMessage[];
  /** It did not last: the next attempt is not hurried. */
  readonly isShort: boolean;
  /** Registered, and the other side is not just inviting us. */
  readonly canTry: () => boolean;
  /** Whether the other side ended the dialog after it had closed the connection. */
  readonly hasEndedThere: () => boolean;
  /** A new session with fresh keys and at least the protection of the lost one. */
  readonly open: () => Promise<unknown>;
  /** Called once; with the reason when it was given up. */
  readonly onOver: (problem?: RefusalError) => void;
}

/** With these another attempt may go better. */
const passing: ReadonlySet<RefusalCode> = new Set([
  'not-registered',
  'kms-unreachable',
  'peer-unreachable',
  'timeout',
  'connection-lost',
  'tls-failed',
]);

const lookAgainMilliseconds = 1_000;

/**
 * Sets a lost session up again. The side that had opened it begins; the other side waits a random time and begins only
 * if nothing came. Tries again, ever less often, until it is given up.
 */
export class SessionRecovery {
  readonly lost: SessionView;
  readonly messages: readonly UnsettledMessage[];
  /** Resolves when there is another session, or it was given up. */
  readonly over: Promise<void>;
  readonly #options: RecoveryOptions;
  readonly #cancelDeadline: CancelTimer;
  #cancelWait: CancelTimer;
  #tellOver: () => void = () => undefined;
  #failures = 0;
  #isTrying = false;
  #isOver = false;

  constructor(options: RecoveryOptions) {
    const { clock, lost, messages } = options;
    this.#options = options;
    this.lost = lost;
    this.messages = messages;
    this.over = new Promise((resolve) => (this.#tellOver = resolve));
    this.#cancelDeadline = clock.after(limits.sessionRecoveryMilliseconds, () =>
      this.end(refuse('timeout', 'session', { happened: 'The lost session could not be set up again in time' })),
    );
    this.#cancelWait = clock.after(this.#firstWait(), () => this.#try());
  }

  /** Something changed for the better. */
  wake(): void {
    if (this.#isOver || this.#isTrying || this.#failures === 0) return;
    this.#wait(0);
  }

  /** There is a session again; or with `problem`: there will be none. */
  end(problem?: RefusalError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancelWait();
    this.#cancelDeadline();
    this.#options.onOver(problem);
    this.#tellOver();
  }

  #firstWait(): number {
    const { end, lost, isShort } = this.#options;
    if (end === 'moved') return 0;
    if (lost.direction === 'in') return this.#between(5_000, 10_000);
    return end === 'lost' && !isShort ? 0 : this.#between(2_000, 4_000);
  }

  #try(): void {
    const { canTry, open, messages, end, hasEndedThere } = this.#options;
    const isWanted = end === 'lost' || end === 'moved' || (end === 'closed' && !hasEndedThere());
    if (!isWanted && messages.every(({ isSettled }) => isSettled)) {
      this.end(refuse('connection-lost', 'session', { happened: 'The other side ended the session' }));
      return;
    }
    if (!canTry()) {
      this.#wait(lookAgainMilliseconds);
      return;
    }
    this.#isTrying = true;
    // A success ends this recovery as any other session to this peer would.
    void open()
      .catch((error: unknown) => this.#failed(asRefusalError(error, 'peer-unreachable')))
      .finally(() => (this.#isTrying = false));
  }

  #failed(problem: RefusalError): void {
    if (this.#isOver) return;
    if (!passing.has(problem.code)) {
      this.end(problem);
      return;
    }
    this.#failures += 1;
    const longest = Math.min(1_000 * 2 ** this.#failures, 30_000);
    this.#wait(this.#between(longest / 2, longest));
  }

  #wait(milliseconds: number): void {
    if (this.#isOver) return;
    this.#cancelWait();
    this.#cancelWait = this.#options.clock.after(milliseconds, () => this.#try());
  }

  #between(least: number, most: number): number {
    const [high = 0, low = 0] = this.#options.random.bytes(2);
    return least + ((most - least) * (high * 256 + low)) / 65_536;
  }
}

import type { SessionView } from '../chat-message.ts';
import { limits } from '../limits.ts';
import type { RefusalError } from '../refusal.ts';
import type { TextToSend } from '../text-content.ts';
import type { UnsettledMessage } from './unsettled-message.ts';

/** Longer texts may need more than one chunk, and chunks of several messages may alternate (RFC 4975 section 5.1). */
const shortText = 500;

export interface OutboxSession {
  readonly view: SessionView;
  /** @throws RefusalError when it was refused, or it is not known whether it arrived. */
  send(message: TextToSend): Promise<void>;
}

export interface OutboxOptions {
  readonly session: OutboxSession;
  /** Why a message may not go in this session, if so. */
  readonly judge: (message: UnsettledMessage) => RefusalError | undefined;
  /** A message was handed to the session, and it is the only one under way. */
  readonly onHanded: () => void;
}

/**
 * The messages of one session in the order in which they were written. They reach the far end in that order: a long one
 * goes alone. What is not settled when the session is lost is taken out, for another session to carry on with.
 */
export class SessionOutbox {
  readonly #options: OutboxOptions;
  readonly #queue: UnsettledMessage[] = [];
  /** In the order in which they were handed to the session. */
  readonly #underWay = new Set<UnsettledMessage>();
  /** Being sent by the session, also those that were released. */
  readonly #handed = new Set<UnsettledMessage>();
  #isOver = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  get isWaiting(): boolean {
    return this.#underWay.size > 0;
  }

  add(message: UnsettledMessage): void {
    this.#queue.push(message);
    this.#pump();
  }

  /** Takes what another session left, before everything that was written later. */
  adopt(messages: readonly UnsettledMessage[]): void {
    this.#queue.unshift(...messages);
    this.#pump();
  }

  /** The session is over: what is not settled, in order. */
  end(): readonly UnsettledMessage[] {
    this.#isOver = true;
    return this.release();
  }

  /** What is not settled, in order; whether it arrives is another session's care now, though it may arrive here too. */
  release(): readonly UnsettledMessage[] {
    const unsettled = [...this.#underWay, ...this.#queue].filter(({ isSettled }) => !isSettled);
    this.#underWay.clear();
    this.#queue.length = 0;
    return unsettled;
  }

  #pump(): void {
    while (!this.#isOver) {
      const [next] = this.#queue;
      if (next === undefined || !this.#isItsTurn(next)) return;
      this.#queue.shift();
      if (!next.isSettled) this.#hand(next);
    }
  }

  #isItsTurn({ message }: UnsettledMessage): boolean {
    if (this.#underWay.size === 0) return true;
    if (this.#underWay.size >= limits.sessionMessagesUnderWay || isLong(message)) return false;
    const [first] = this.#underWay;
    return first === undefined || !isLong(first.message);
  }

  #hand(next: UnsettledMessage): void {
    const problem = this.#options.judge(next);
    if (problem !== undefined) {
      next.fail(problem);
      return;
    }
    const { session, onHanded } = this.#options;
    this.#underWay.add(next);
    if (!this.#handed.has(next)) {
      this.#handed.add(next);
      next.begin(session.view);
      session.send(next.message).then(
        () => {
          next.arrive();
          this.#settled(next);
        },
        (error: unknown) => {
          // Otherwise another session has it.
          if (this.#underWay.has(next)) next.fail(error);
          this.#settled(next);
        },
      );
    }
    if (this.#underWay.size === 1) onHanded();
  }

  #settled(message: UnsettledMessage): void {
    this.#underWay.delete(message);
    this.#handed.delete(message);
    this.#pump();
  }
}

function isLong({ text }: TextToSend): boolean {
  return text.length > shortText;
}

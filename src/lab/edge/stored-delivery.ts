import type { LabUser } from '../users.ts';
import type { StoredMessage } from './message-store.ts';
import { toDevice } from './destinations.ts';
import type { ForwardingTools } from './forwarding-tools.ts';

/** When nothing else tells when to try again. */
const retryMilliseconds = 5000;
const maxRetryMilliseconds = 60_000;
/** How many messages are on their way to one user at the same time. */
const windowSize = 8;

/** Brings what waited to a user who is there again: in order of arrival, each message until a device has answered it. */
export class StoredDelivery {
  readonly #tools: ForwardingTools;
  readonly #underWay = new Map<LabUser, Set<number>>();
  readonly #retries = new Map<LabUser, () => void>();

  constructor(tools: ForwardingTools) {
    this.#tools = tools;
  }

  /** True when no device has taken or refused the message: it was not there, or asked for another time. */
  static isUnanswered(status: number | undefined): boolean {
    return (
      status === undefined || status === 408 || status === 430 || status === 480 || (status >= 500 && status < 600)
    );
  }

  deliver(user: LabUser): void {
    this.#retries.get(user)?.();
    this.#retries.delete(user);
    const underWay = this.#underWay.get(user) ?? new Set();
    this.#underWay.set(user, underWay);
    for (const stored of this.#tools.messages.waiting(user)) {
      if (underWay.size >= windowSize) return;
      if (!underWay.has(stored.id)) this.#send(user, stored, underWay);
    }
  }

  /** True while older messages wait for another try: what comes now must not overtake them. */
  isBehind(user: LabUser): boolean {
    return this.#retries.has(user);
  }

  stop(): void {
    for (const cancel of this.#retries.values()) cancel();
    this.#retries.clear();
  }

  #send(user: LabUser, { id, message }: StoredMessage, underWay: Set<number>): void {
    const targets = this.#tools.registrar.bindings.targets(user);
    if (targets.length === 0) return;
    underWay.add(id);
    const forwarding = this.#tools.forwarding(undefined, message, {
      finished: (response) => {
        underWay.delete(id);
        if (!StoredDelivery.isUnanswered(response?.status)) {
          this.#tools.messages.remove(user, id);
          if (!this.isBehind(user)) this.deliver(user);
        } else this.#tryLater(user, response?.headers.get('Retry-After'));
      },
    });
    for (const target of targets) forwarding.add(...toDevice(message, target));
    forwarding.start();
  }

  #tryLater(user: LabUser, retryAfter: string | undefined): void {
    if (this.#retries.has(user)) return;
    const seconds = Number.parseInt(retryAfter ?? '', 10);
    const wait = Number.isNaN(seconds) ? retryMilliseconds : Math.min(seconds * 1000, maxRetryMilliseconds);
    this.#retries.set(
      user,
      this.#tools.timers.after(wait, () => this.deliver(user)),
    );
  }
}

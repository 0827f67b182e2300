import type { SipMessage } from '../../protocol/sip/message.ts';
import type { LabUser } from '../users.ts';

/** One MESSAGE that waits. */
export interface StoredMessage {
  readonly id: number;
  readonly message: SipMessage;
}

/** MESSAGEs for users who are not there, in order of arrival. What was added survives as long as the store does. */
export interface MessageStore {
  /** Durable when this returns; false when the user's share is full. */
  add(user: LabUser, message: SipMessage): boolean;
  /** What waits for the user, oldest first; it stays until it is removed. */
  waiting(user: LabUser): readonly StoredMessage[];
  remove(user: LabUser, id: number): void;
  close(): void;
}

/** What one user may have waiting. */
export const messageStoreLimits = { messages: 10_000, octets: 64 * 1024 * 1024 } as const;

/** Ends with the lab. */
export class MemoryMessageStore implements MessageStore {
  readonly #waiting = new Map<LabUser, StoredMessage[]>();
  #lastId = 0;

  add(user: LabUser, message: SipMessage): boolean {
    const waiting = this.#waiting.get(user) ?? [];
    const octets = waiting.reduce((sum, stored) => sum + stored.message.body.length, message.body.length);
    if (waiting.length >= messageStoreLimits.messages || octets > messageStoreLimits.octets) return false;
    this.#waiting.set(user, [...waiting, { id: ++this.#lastId, message }]);
    return true;
  }

  waiting(user: LabUser): readonly StoredMessage[] {
    return this.#waiting.get(user) ?? [];
  }

  remove(user: LabUser, id: number): void {
    this.#waiting.set(
      user,
      this.waiting(user).filter((stored) => stored.id !== id),
    );
  }

  close(): void {
    this.#waiting.clear();
  }
}

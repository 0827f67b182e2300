import type { SipMessage } from '../../protocol/sip/message.ts';
import type { LabUser } from '../users.ts';

const maxMessagesPerUser = 100;
const maxOctetsPerUser = 1024 * 1024;

/** MESSAGEs for users who are not there, in order of arrival. */
export class MessageStore {
  readonly #waiting = new Map<LabUser, SipMessage[]>();

  /** False when the user's store is full. */
  add(user: LabUser, message: SipMessage): boolean {
    const waiting = this.#waiting.get(user) ?? [];
    const octets = waiting.reduce((sum, { body }) => sum + body.length, message.body.length);
    if (waiting.length >= maxMessagesPerUser || octets > maxOctetsPerUser) return false;
    this.#waiting.set(user, [...waiting, message]);
    return true;
  }

  /** Empties the user's store. */
  take(user: LabUser): SipMessage[] {
    const waiting = this.#waiting.get(user) ?? [];
    this.#waiting.delete(user);
    return waiting;
  }
}

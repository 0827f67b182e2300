import type { ProtectionLevel } from '../../base/protection-level.ts';
import type { ChatMessage } from '../chat-message.ts';
import type { Evidence } from '../evidence.ts';
import type { OutboxEntry } from '../store/index.ts';

/** What protects the message on its way. */
export interface Protected {
  readonly level: ProtectionLevel;
  readonly evidence: Evidence;
}

/** One attempt to bring a message over. */
export interface Attempt {
  readonly message: ChatMessage;
  readonly entry: OutboxEntry;
  /** By which the other side tells copies; the same in every attempt. */
  readonly messageId: string;
  /** An earlier attempt may have arrived: it may go again only where the other side can tell a copy. */
  readonly isAgain: boolean;
  /** False once the message was taken back, or must be better protected than when the attempt began. */
  readonly isWanted: () => boolean;
  /**
   * Called before the first octet leaves; resolves when it is durable that it may have.
   * @throws StoreError, or `TakenBack` when the user took the message back meanwhile: then nothing may leave
   */
  readonly leaving: (protection: Protected) => Promise<void>;
}

/** The far end has it, as far as this way of sending tells. */
export interface Carried extends Protected {
  readonly state: 'accepted' | 'delivered';
}

/** A way of sending. */
export interface Carrier {
  /** @throws RefusalError */
  carry(attempt: Attempt): Promise<Carried>;
}

/** The message is not there any more: nothing is to be done for it. */
export class TakenBack extends Error {
  override readonly name = 'TakenBack';
}

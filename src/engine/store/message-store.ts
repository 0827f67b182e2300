import type { ChatMessage } from '../chat-message.ts';

/** `problem: undefined` takes the problem away. */
export type MessagePatch = Partial<
  Pick<ChatMessage, 'state' | 'level' | 'evidence' | 'text' | 'messageId' | 'recipients' | 'way'>
> & {
  readonly problem?: ChatMessage['problem'] | undefined;
};

export interface MessagePage {
  /** Oldest first. */
  readonly messages: readonly ChatMessage[];
  /** There are older ones. */
  readonly hasMore: boolean;
}

export interface ConversationSummary {
  readonly peer: string;
  readonly lastMessage: ChatMessage | undefined;
  /** Incoming messages that came after the user looked last. */
  readonly unread: number;
}

/** The messages of one account, in the order in which they were added. */
export interface MessageStore {
  /** @throws Error when there is one of this id. */
  add(message: ChatMessage): void;
  /** Returns the changed message, or undefined when there is none. */
  change(id: string, patch: MessagePatch): ChatMessage | undefined;
  get(id: string): ChatMessage | undefined;
  /** The newest with this `imdn.Message-ID` in a conversation. */
  find(peer: string, direction: ChatMessage['direction'], messageId: string): ChatMessage | undefined;
  /** Returns the removed message. What it was is overwritten where the storage can do so. */
  remove(id: string): ChatMessage | undefined;
  /** The newest `limit` messages of a conversation, or those before the message `before`; none when that is not there. */
  page(peer: string, limit: number, before?: string): MessagePage;
  /** The oldest `limit` messages after the message `after`, oldest first; `hasMore` tells of newer ones. None when it is not there. */
  pageAfter(peer: string, limit: number, after: string): MessagePage;
  /** Those that have a message, the one with the newest first. */
  conversations(): readonly ConversationSummary[];
  summary(peer: string): ConversationSummary | undefined;
  /** The user has looked at the conversation: nothing in it is unread. */
  markRead(peer: string): void;
  /** Returns how many went. */
  removeConversation(peer: string): number;
  /** Removes what is older, of one conversation or of all, but nothing that is queued or still owed. @param at milliseconds since 1970 */
  removeOlderThan(at: number, peer?: string): number;
  count(): number;
  /** Everything, oldest first, for an export: read in pieces, without holding it all in memory. */
  all(peer?: string): Iterable<ChatMessage>;
}

import type { ChatMessage } from '../chat-message.ts';
import { limits } from '../limits.ts';
import type { ConversationSummary, MessagePage, MessagePatch, MessageStore } from './message-store.ts';
import { patched } from './store-values.ts';
import type { UndoLog } from './undo-log.ts';

/** A message with its place in the order in which the messages of all accounts came. */
export interface MemoryMessage {
  readonly sequence: number;
  readonly message: ChatMessage;
}

interface Conversation {
  /** Oldest first. */
  readonly messages: MemoryMessage[];
  /** The last that the user has seen. */
  readThrough: number;
}

/** The messages of one account in memory; beyond the limits the oldest go, but nothing that is queued or owed. */
export class MemoryMessages implements MessageStore {
  readonly #undo: UndoLog;
  readonly #nextSequence: () => number;
  readonly #isOwed: (id: string) => boolean;
  readonly #conversations = new Map<string, Conversation>();
  readonly #byId = new Map<string, MemoryMessage>();

  /** @param isOwed by its id: it is still to be brought to the other side */
  constructor(undo: UndoLog, nextSequence: () => number, isOwed: (id: string) => boolean) {
    this.#undo = undo;
    this.#nextSequence = nextSequence;
    this.#isOwed = isOwed;
  }

  add(message: ChatMessage): void {
    if (this.#byId.has(message.id)) throw new Error('there is a message of this id');
    const peer = message.conversation;
    const kept = { sequence: this.#nextSequence(), message };
    const conversation = this.#conversations.get(peer) ?? { messages: [], readThrough: 0 };
    if (conversation.messages.length === 0) this.#undo.put(this.#conversations, peer, conversation);
    this.#insert(conversation, conversation.messages.length, kept);
    this.#undo.put(this.#byId, message.id, kept);
    this.#keepWithinLimits(conversation);
  }

  change(id: string, patch: MessagePatch): ChatMessage | undefined {
    const before = this.#byId.get(id);
    if (before === undefined) return undefined;
    const after = { sequence: before.sequence, message: patched(before.message, patch) };
    const list = this.#listOf(before);
    const place = placeOf(list, before.sequence);
    list[place] = after;
    this.#undo.wrote(() => (list[place] = before));
    this.#undo.put(this.#byId, id, after);
    return after.message;
  }

  get(id: string): ChatMessage | undefined {
    return this.#byId.get(id)?.message;
  }

  find(peer: string, direction: ChatMessage['direction'], messageId: string): ChatMessage | undefined {
    return this.#conversations
      .get(peer)
      ?.messages.findLast(({ message }) => message.direction === direction && message.messageId === messageId)?.message;
  }

  remove(id: string): ChatMessage | undefined {
    const kept = this.#byId.get(id);
    if (kept === undefined) return undefined;
    this.#drop(kept);
    return kept.message;
  }

  page(peer: string, limit: number, before?: string): MessagePage {
    const list = this.#conversations.get(peer)?.messages ?? [];
    const end = before === undefined ? list.length : list.findIndex(({ message }) => message.id === before);
    const start = Math.max(0, end - limit);
    return { messages: list.slice(start, Math.max(0, end)).map(({ message }) => message), hasMore: start > 0 };
  }

  pageAfter(peer: string, limit: number, after: string): MessagePage {
    const list = this.#conversations.get(peer)?.messages ?? [];
    const place = list.findIndex(({ message }) => message.id === after);
    if (place < 0) return { messages: [], hasMore: false };
    const end = place + 1 + limit;
    return { messages: list.slice(place + 1, end).map(({ message }) => message), hasMore: end < list.length };
  }

  conversations(): readonly ConversationSummary[] {
    return [...this.#conversations]
      .sort(([, one], [, other]) => newestOf(other) - newestOf(one))
      .map(([peer, conversation]) => summaryOf(peer, conversation));
  }

  summary(peer: string): ConversationSummary | undefined {
    const conversation = this.#conversations.get(peer);
    return conversation && summaryOf(peer, conversation);
  }

  markRead(peer: string): void {
    const conversation = this.#conversations.get(peer);
    if (conversation === undefined) return;
    const before = conversation.readThrough;
    conversation.readThrough = newestOf(conversation);
    this.#undo.wrote(() => (conversation.readThrough = before));
  }

  removeConversation(peer: string): number {
    return this.#dropAll([...(this.#conversations.get(peer)?.messages ?? [])]);
  }

  removeOlderThan(at: number, peer?: string): number {
    const lists = peer === undefined ? [...this.#conversations.values()] : [this.#conversations.get(peer)];
    return this.#dropAll(
      lists.flatMap((conversation) =>
        (conversation?.messages ?? []).filter(({ message }) => message.at < at && this.#mayGo(message)),
      ),
    );
  }

  count(): number {
    return this.#byId.size;
  }

  *all(peer?: string): Iterable<ChatMessage> {
    for (const { message } of this.kept(peer)) yield message;
  }

  /** Oldest first. */
  kept(peer?: string): readonly MemoryMessage[] {
    if (peer !== undefined) return [...(this.#conversations.get(peer)?.messages ?? [])];
    return [...this.#byId.values()].sort((one, other) => one.sequence - other.sequence);
  }

  #keepWithinLimits({ messages }: Conversation): void {
    if (messages.length > limits.messagesPerConversation) {
      const oldest = messages.find(({ message }) => this.#mayGo(message));
      if (oldest !== undefined) this.#drop(oldest);
    }
    if (this.#conversations.size <= limits.conversations) return;
    const idle = [...this.#conversations.values()]
      .sort((one, other) => newestOf(one) - newestOf(other))
      .find((conversation) => conversation.messages.every(({ message }) => this.#mayGo(message)));
    if (idle !== undefined) this.#dropAll([...idle.messages]);
  }

  #mayGo({ id, state }: ChatMessage): boolean {
    return state !== 'queued' && !this.#isOwed(id);
  }

  #listOf({ message }: MemoryMessage): MemoryMessage[] {
    return this.#conversations.get(message.conversation)?.messages ?? [];
  }

  #insert({ messages }: Conversation, place: number, kept: MemoryMessage): void {
    messages.splice(place, 0, kept);
    this.#undo.wrote(() => messages.splice(place, 1));
  }

  #dropAll(gone: readonly MemoryMessage[]): number {
    for (const kept of gone) this.#drop(kept);
    return gone.length;
  }

  #drop(kept: MemoryMessage): void {
    const list = this.#listOf(kept);
    const place = placeOf(list, kept.sequence);
    list.splice(place, 1);
    this.#undo.wrote(() => list.splice(place, 0, kept));
    this.#undo.put(this.#byId, kept.message.id, undefined);
    if (list.length === 0) this.#undo.put(this.#conversations, kept.message.conversation, undefined);
  }
}

function summaryOf(peer: string, { messages, readThrough }: Conversation): ConversationSummary {
  const isUnread = ({ sequence, message }: MemoryMessage) => sequence > readThrough && message.direction === 'in';
  return { peer, lastMessage: messages.at(-1)?.message, unread: messages.filter(isUnread).length };
}

function newestOf({ messages }: Conversation): number {
  return messages.at(-1)?.sequence ?? 0;
}

/** Index of a message in a list by ascending sequence. */
function placeOf(list: readonly MemoryMessage[], sequence: number): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((list[middle]?.sequence ?? Infinity) < sequence) low = middle + 1;
    else high = middle;
  }
  return low;
}

import type { CheckedInput, ConversationView, MessageView, Policy, SessionView } from '../../contract/index.ts';
import { BridgeFault, type HostEvent } from './host.ts';

/** Messages kept for the screens in each conversation; older ones are dropped from memory first. */
const messagesKept = 5000;

interface Conversation {
  readonly accountId: string;
  readonly peer: string;
  readonly messages: Map<string, MessageView>;
  policy: Policy | undefined;
  session: SessionView | undefined;
  unread: number;
  lastFile: ConversationView['lastFile'];
  isPeerWriting: boolean;
}

interface Key {
  readonly accountId: string;
  readonly peer: string;
}

/** What the screens know of the conversations: messages in the order of their arrival, what is unread, what is open. */
export class ConversationBook {
  readonly #conversations = new Map<string, Conversation>();
  readonly #emit: (event: HostEvent) => void;

  constructor(emit: (event: HostEvent) => void) {
    this.#emit = emit;
  }

  views(): ConversationView[] {
    return [...this.#conversations.values()].map(viewOf);
  }

  /** Number of conversations. */
  get size(): number {
    return this.#conversations.size;
  }

  has(key: Key): boolean {
    return this.#conversations.has(keyText(key));
  }

  /** Makes the conversation when there is none yet. */
  start(key: Key): ConversationView {
    const existing = this.#conversations.get(keyText(key));
    if (existing !== undefined) return viewOf(existing);
    const conversation = this.#open(key);
    this.#changed(conversation);
    return viewOf(conversation);
  }

  /** Adds a message, or replaces what was known of it. A new incoming one counts as unread. */
  putMessage(message: MessageView): void {
    const conversation = this.#open({ accountId: message.accountId, peer: message.conversation });
    const isNew = !conversation.messages.has(message.id);
    conversation.messages.set(message.id, message);
    if (isNew && message.direction === 'in') conversation.unread += 1;
    if (conversation.messages.size > messagesKept) {
      const oldest = conversation.messages.keys().next();
      if (oldest.done !== true) conversation.messages.delete(oldest.value);
    }
    this.#emit({ event: 'message', message });
    this.#changed(conversation);
  }

  /** Notes the file that was offered last; a new incoming one counts as unread. */
  putFile(key: Key, file: NonNullable<ConversationView['lastFile']>, isNews: boolean): void {
    const conversation = this.#open(key);
    const before = conversation.lastFile;
    const isLater = before === undefined || file.at > before.at;
    if (isLater) conversation.lastFile = file;
    if (isNews) conversation.unread += 1;
    if (isLater || isNews) this.#changed(conversation);
  }

  /** @throws BridgeFault `no-such-message` */
  removeMessage(key: Key, messageId: string): void {
    const conversation = this.#find(key);
    if (!conversation.messages.delete(messageId)) {
      throw new BridgeFault('no-such-message', 'This message is no longer there.');
    }
    this.#emit({ event: 'messageRemoved', accountId: key.accountId, conversation: key.peer, messageId });
    this.#changed(conversation);
  }

  findMessage(key: Key, messageId: string): MessageView | undefined {
    return this.#conversations.get(keyText(key))?.messages.get(messageId);
  }

  listMessages(input: CheckedInput<'listMessages'>): { messages: MessageView[]; hasMore: boolean } {
    const all = [...this.#find(input).messages.values()];
    const end = input.before === undefined ? all.length : all.findIndex((message) => message.id === input.before);
    if (end < 0) throw new BridgeFault('no-such-message', 'This message is no longer there.');
    const start = Math.max(0, end - input.limit);
    return { messages: all.slice(start, end), hasMore: start > 0 };
  }

  markRead(key: Key): void {
    const conversation = this.#find(key);
    if (conversation.unread === 0) return;
    conversation.unread = 0;
    this.#changed(conversation);
  }

  setPolicy(key: Key, policy: Policy | undefined): void {
    const conversation = this.#open(key);
    conversation.policy = policy;
    this.#changed(conversation);
  }

  setSession(key: Key, session: SessionView | undefined): void {
    const conversation = this.#open(key);
    conversation.session = session;
    this.#changed(conversation);
  }

  /** Nobody begins a conversation by typing. */
  setPeerWriting(key: Key, isWriting: boolean): void {
    const conversation = this.#conversations.get(keyText(key));
    if (conversation === undefined || conversation.isPeerWriting === isWriting) return;
    conversation.isPeerWriting = isWriting;
    this.#changed(conversation);
  }

  session(key: Key): SessionView | undefined {
    return this.#conversations.get(keyText(key))?.session;
  }

  #open(key: Key): Conversation {
    const existing = this.#conversations.get(keyText(key));
    if (existing !== undefined) return existing;
    const conversation: Conversation = {
      accountId: key.accountId,
      peer: key.peer,
      messages: new Map(),
      policy: undefined,
      session: undefined,
      unread: 0,
      lastFile: undefined,
      isPeerWriting: false,
    };
    this.#conversations.set(keyText(key), conversation);
    return conversation;
  }

  #find(key: Key): Conversation {
    const conversation = this.#conversations.get(keyText(key));
    if (conversation === undefined) throw new BridgeFault('no-such-conversation', 'There is no such conversation.');
    return conversation;
  }

  #changed(conversation: Conversation): void {
    this.#emit({ event: 'conversation', conversation: viewOf(conversation) });
  }
}

function keyText({ accountId, peer }: Key): string {
  return JSON.stringify([accountId, peer]);
}

function viewOf(conversation: Conversation): ConversationView {
  const { accountId, peer, policy, session, unread, isPeerWriting, lastFile } = conversation;
  return {
    accountId,
    peer,
    policy,
    session,
    unread,
    lastFile,
    ...(isPeerWriting ? { isPeerWriting } : {}),
    lastMessage: [...conversation.messages.values()].at(-1),
  };
}

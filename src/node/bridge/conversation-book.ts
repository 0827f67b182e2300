import type {
  CheckedInput,
  ConversationNotice,
  ConversationView,
  MessageView,
  Policy,
  Retention,
  SessionView,
} from '../../contract/index.ts';
import { BridgeFault, type HostEvent } from './host.ts';

/** A message as the engine keeps it. */
export type KeptMessage = Omit<MessageView, 'accountId'>;

export interface KeptPage {
  readonly messages: readonly KeptMessage[];
  readonly hasMore: boolean;
}

/** What else is known of the conversations of an account. */
export interface BookFacts {
  readonly members: (peer: string) => readonly string[] | undefined;
  readonly retention: (peer: string) => Retention | undefined;
  /** Oldest first. */
  readonly notices: (peer: string) => readonly ConversationNotice[];
}

/** Messages that follow each other, oldest first. */
export interface MessageWindow {
  readonly messages: readonly MessageView[];
  readonly hasMore: boolean;
  readonly hasNewer: boolean;
}

/** Where the messages of an account are, and what of them is unread: the engine's history. */
export interface BookHistory {
  page(peer: string, limit: number, before?: string): KeptPage;
  pageAfter(peer: string, limit: number, after: string): KeptPage;
  conversations(): readonly { readonly peer: string }[];
  summary(peer: string): { readonly lastMessage: KeptMessage | undefined; readonly unread: number } | undefined;
  get(id: string): KeptMessage | undefined;
  markRead(peer: string): void;
  remove(id: string): KeptMessage | undefined;
}

/** What of a conversation lives as long as the screens do. */
interface Conversation {
  readonly accountId: string;
  readonly peer: string;
  policy: Policy | undefined;
  session: SessionView | undefined;
  unreadFiles: number;
  lastFile: ConversationView['lastFile'];
  isPeerWriting: boolean;
}

interface Key {
  readonly accountId: string;
  readonly peer: string;
}

/** What the screens know of the conversations: their messages stand in the history of the account, page by page. */
export class ConversationBook {
  readonly #conversations = new Map<string, Conversation>();
  readonly #histories = new Map<string, BookHistory>();
  readonly #facts = new Map<string, BookFacts>();
  readonly #emit: (event: HostEvent) => void;

  constructor(emit: (event: HostEvent) => void) {
    this.#emit = emit;
  }

  /** An account, with what was said in earlier runs of the program. */
  addAccount(accountId: string, history: BookHistory, facts?: BookFacts): void {
    this.#histories.set(accountId, history);
    if (facts !== undefined) this.#facts.set(accountId, facts);
    // The one that was spoken in last comes first in the history, and last among those that were begun here.
    for (const { peer } of [...history.conversations()].reverse()) this.#open({ accountId, peer });
  }

  views(): ConversationView[] {
    return [...this.#conversations.values()].map((conversation) => this.#viewOf(conversation));
  }

  has(key: Key): boolean {
    return this.#conversations.has(keyText(key));
  }

  /** Makes the conversation when there is none yet. */
  start(key: Key): ConversationView {
    const existing = this.#conversations.get(keyText(key));
    if (existing !== undefined) return this.#viewOf(existing);
    const conversation = this.#open(key);
    this.#changed(conversation);
    return this.#viewOf(conversation);
  }

  /** A message of the history is new, or has changed. */
  putMessage(message: MessageView): void {
    const conversation = this.#open({ accountId: message.accountId, peer: message.conversation });
    this.#emit({ event: 'message', message });
    this.#changed(conversation);
  }

  /** Notes the file that was offered last; a new incoming one counts as unread. */
  putFile(key: Key, file: NonNullable<ConversationView['lastFile']>, isNews: boolean): void {
    const conversation = this.#open(key);
    const before = conversation.lastFile;
    const isLater = before === undefined || file.at > before.at;
    if (isLater) conversation.lastFile = file;
    if (isNews) conversation.unreadFiles += 1;
    if (isLater || isNews) this.#changed(conversation);
  }

  /** @throws BridgeFault `no-such-message` */
  removeMessage(key: Key, messageId: string): void {
    this.#find(key);
    if (this.findMessage(key, messageId) === undefined) {
      throw new BridgeFault('no-such-message', 'This message is no longer there.');
    }
    this.#historyOf(key).remove(messageId);
    this.messageRemoved(key, messageId);
  }

  /** A message is not in the history any more. */
  messageRemoved(key: Key, messageId: string): void {
    const conversation = this.#conversations.get(keyText(key));
    this.#emit({ event: 'messageRemoved', accountId: key.accountId, conversation: key.peer, messageId });
    if (conversation !== undefined) this.#changed(conversation);
  }

  /** Something of the conversation is different that is not kept here. */
  touch(key: Key): void {
    const conversation = this.#conversations.get(keyText(key));
    if (conversation !== undefined) this.#changed(conversation);
  }

  /** Messages came or went that were not told one by one. @param isGone nothing is left, and it is not wanted any more */
  reset(key: Key, isGone = false): void {
    const { accountId, peer } = key;
    if (isGone) this.#conversations.delete(keyText(key));
    this.#emit({ event: 'conversationReset', accountId, conversation: peer, isGone });
    if (!isGone) this.#changed(this.#open(key));
  }

  findMessage(key: Key, messageId: string): MessageView | undefined {
    const message = this.#historyOf(key).get(messageId);
    return message?.conversation === key.peer ? { ...message, accountId: key.accountId } : undefined;
  }

  listMessages(input: CheckedInput<'listMessages'>): MessageWindow {
    const { accountId, peer, limit, before, after, around } = input;
    this.#find(input);
    const from = before ?? after ?? around;
    const known = from === undefined ? undefined : this.findMessage(input, from);
    if (from !== undefined && known === undefined) {
      throw new BridgeFault('no-such-message', 'This message is no longer there.');
    }
    const history = this.#historyOf(input);
    const shown = ({ messages }: KeptPage) => messages.map((message) => ({ ...message, accountId }));
    if (after !== undefined) {
      const page = history.pageAfter(peer, limit, after);
      return { messages: shown(page), hasMore: true, hasNewer: page.hasMore };
    }
    if (around === undefined || known === undefined) {
      const page = history.page(peer, limit, before);
      return { messages: shown(page), hasMore: page.hasMore, hasNewer: before !== undefined };
    }
    const half = Math.ceil(limit / 2);
    const [older, newer] = [history.page(peer, half, around), history.pageAfter(peer, half, around)];
    return {
      messages: [...shown(older), known, ...shown(newer)],
      hasMore: older.hasMore,
      hasNewer: newer.hasMore,
    };
  }

  markRead(key: Key): void {
    const conversation = this.#find(key);
    if (this.#viewOf(conversation).unread === 0) return;
    this.#historyOf(key).markRead(key.peer);
    conversation.unreadFiles = 0;
    this.#changed(conversation);
  }

  setPolicy(key: Key, policy: Policy | undefined): void {
    const conversation = this.#open(key);
    conversation.policy = policy;
    this.#changed(conversation);
  }

  /** Nobody begins a conversation by it. */
  setPolicyIfKnown(key: Key, policy: Policy | undefined): void {
    const conversation = this.#conversations.get(keyText(key));
    if (conversation !== undefined && conversation.policy !== policy) this.setPolicy(key, policy);
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
      policy: undefined,
      session: undefined,
      unreadFiles: 0,
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

  #historyOf({ accountId }: { readonly accountId: string }): BookHistory {
    const history = this.#histories.get(accountId);
    if (history === undefined) throw new BridgeFault('no-such-account', 'There is no such account.');
    return history;
  }

  #changed(conversation: Conversation): void {
    this.#emit({ event: 'conversation', conversation: this.#viewOf(conversation) });
  }

  #viewOf({ unreadFiles, ...conversation }: Conversation): ConversationView {
    const { accountId, peer, policy, session, isPeerWriting, lastFile } = conversation;
    const summary = this.#histories.get(accountId)?.summary(peer);
    const last = summary?.lastMessage;
    const facts = this.#facts.get(accountId);
    const notices = facts?.notices(peer) ?? [];
    return {
      accountId,
      peer,
      members: facts?.members(peer),
      ...(notices.length === 0 ? {} : { notices }),
      retention: facts?.retention(peer),
      policy,
      session,
      unread: (summary?.unread ?? 0) + unreadFiles,
      lastFile,
      ...(isPeerWriting ? { isPeerWriting } : {}),
      lastMessage: last === undefined ? undefined : { ...last, accountId },
    };
  }
}

function keyText({ accountId, peer }: Key): string {
  return JSON.stringify([accountId, peer]);
}

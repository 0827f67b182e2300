import type { ChatMessage } from '../chat-message.ts';
import { limits } from '../limits.ts';
import { awaitedDisplayNote } from '../receipts/message-receipts.ts';
import type { AccountStore, ConversationSummary, MessagePage, SearchPage, SearchQuery, Store } from '../store/index.ts';
import { resendNotes } from './resends.ts';

/** Notes whose key begins with the id of a message. */
const notesByMessage = [awaitedDisplayNote, ...resendNotes] as const;

export interface AccountHistoryOptions {
  readonly accountId: string;
  readonly store: Store;
  readonly account: AccountStore;
  /** Takes a message back that waits, or ends its attempts; it is gone then where it is returned. */
  readonly giveUp: (id: string) => ChatMessage | undefined;
}

/** What was said, over all runs of the program. */
export class AccountHistory {
  readonly #options: AccountHistoryOptions;

  constructor(options: AccountHistoryOptions) {
    this.#options = options;
  }

  /** The conversation with the newest message first. */
  conversations(): readonly ConversationSummary[] {
    return this.#options.account.messages.conversations();
  }

  summary(peer: string): ConversationSummary | undefined {
    return this.#options.account.messages.summary(peer);
  }

  /** The newest messages of a conversation, or those before the message `before`, oldest first. */
  page(peer: string, limit: number = limits.messagesPerPage, before?: string): MessagePage {
    return this.#options.account.messages.page(peer, limit, before);
  }

  /** The oldest messages after the message `after`; `hasMore` tells of newer ones. */
  pageAfter(peer: string, limit: number, after: string): MessagePage {
    return this.#options.account.messages.pageAfter(peer, limit, after);
  }

  get(id: string): ChatMessage | undefined {
    return this.#options.account.messages.get(id);
  }

  /** Over this account alone. */
  search(query: Omit<SearchQuery, 'accountId'>): SearchPage {
    const { store, accountId } = this.#options;
    return store.search({ ...query, accountId });
  }

  markRead(peer: string): void {
    this.#options.account.messages.markRead(peer);
  }

  /** What waits is taken back, what is on its way is not tried again. Undefined when there is none of this id. */
  remove(id: string): ChatMessage | undefined {
    const { account, giveUp } = this.#options;
    const takenBack = giveUp(id);
    account.sealed.remove(id);
    const removed = account.messages.remove(id) ?? takenBack;
    this.#forgetNotes(id);
    return removed;
  }

  /** Returns how many messages went, besides those that waited. */
  removeConversation(peer: string): number {
    const { account, giveUp } = this.#options;
    for (const { id } of account.outbox.list(peer)) giveUp(id);
    for (const { id } of account.sealed.list()) {
      if (account.messages.get(id)?.conversation === peer) account.sealed.remove(id);
    }
    const removed = account.messages.removeConversation(peer);
    const noted = notesByMessage.flatMap((kind) => account.notes.list(kind)).map(({ key }) => key.split(' ')[0] ?? '');
    for (const id of new Set(noted)) if (account.messages.get(id) === undefined) this.#forgetNotes(id);
    return removed;
  }

  /** What stands beside a message goes with it: what its sender wants to be told, with its subject, and how often it was asked for. */
  #forgetNotes(id: string): void {
    const { notes } = this.#options.account;
    for (const kind of notesByMessage) {
      notes.delete(kind, id);
      for (const { key } of notes.list(kind, `${id} `)) notes.delete(kind, key);
    }
  }
}

import type { ChatMessage } from '../chat-message.ts';
import { limits } from '../limits.ts';
import type { AccountStore, ConversationSummary, MessagePage, SearchPage, SearchQuery, Store } from '../store/index.ts';

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
    return account.messages.remove(id) ?? takenBack;
  }

  /** Returns how many messages went, besides those that waited. */
  removeConversation(peer: string): number {
    const { account, giveUp } = this.#options;
    for (const { id } of account.outbox.list(peer)) giveUp(id);
    for (const { id } of account.sealed.list()) {
      if (account.messages.get(id)?.conversation === peer) account.sealed.remove(id);
    }
    return account.messages.removeConversation(peer);
  }
}

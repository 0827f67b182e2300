import type { Clock } from '../../base/clock.ts';
import type { Unsubscribe } from '../../base/events.ts';
import { randomId, type Random } from '../../base/random.ts';
import type { CheckedInput, Retention } from '../../contract/index.ts';
import type { Account } from '../../engine/account.ts';
import { retentionOf, setRetention, type AccountStore } from '../../engine/store/index.ts';
import { applyRetention } from '../../engine/store/retention.ts';
import type { BookFacts, ConversationBook } from './conversation-book.ts';
import { ConversationNotices } from './conversation-notices.ts';
import type { HostProfile } from './host-profile.ts';
import { BridgeFault } from './host.ts';

export type AccountWithHistory = Pick<Account, 'config' | 'events' | 'history' | 'groupMembers' | 'askResend'> & {
  readonly outbox: Pick<Account['outbox'], 'retry'>;
};

export interface HistoryDeskParts {
  readonly account: AccountWithHistory;
  readonly book: ConversationBook;
  readonly clock: Clock;
  readonly random: Random;
  /** Absent where only the history of the account can be reached. */
  readonly profile: HostProfile | undefined;
  /** The view of the account has changed. */
  readonly onChange: () => void;
}

/** What was said in one account, and how long it stays. */
export class HistoryDesk {
  readonly #parts: HistoryDeskParts;
  readonly #store: AccountStore | undefined;
  readonly #notices: ConversationNotices;
  readonly #subscriptions: readonly Unsubscribe[];

  constructor(parts: HistoryDeskParts) {
    this.#parts = parts;
    const { account, profile, random, clock } = parts;
    this.#store = profile?.store.account(this.#id);
    this.#notices = new ConversationNotices(() => randomId(random, 8), this.#store?.notes);
    this.#subscriptions = [
      account.events.on('contactPolicy', ({ peer, policy }) => {
        parts.book.setPolicyIfKnown({ accountId: this.#id, peer }, policy);
        this.#tell(peer, { kind: 'policy-changed', at: clock.now(), ...(policy === undefined ? {} : { policy }) });
      }),
      profile?.people.trust.events.on('trustChanged', ({ accountId, peer, at, explanation }) => {
        if (accountId === this.#id) this.#tell(peer, { kind: 'trust-changed', at, explanation });
      }) ?? (() => undefined),
    ];
  }

  close(): void {
    for (const unsubscribe of this.#subscriptions) unsubscribe();
  }

  /** Of the whole account. */
  get retention(): Retention {
    return (this.#store && retentionOf(this.#store)) ?? 'for-ever';
  }

  facts(): BookFacts {
    return {
      members: (peer) => this.#parts.account.groupMembers(peer),
      retention: (peer) => this.#store && retentionOf(this.#store, peer),
      notices: (peer) => this.#notices.of(peer),
    };
  }

  /** @throws BridgeFault `no-such-message` */
  async retry(messageId: string): Promise<void> {
    const message = await this.#parts.account.outbox.retry(messageId);
    if (message === undefined) throw new BridgeFault('no-such-message', 'There is nothing to be tried any more.');
  }

  askResend(messageId: string) {
    return { outcome: this.#parts.account.askResend(messageId) };
  }

  /** Returns how many messages went at once. */
  setRetention({ peer, keep }: CheckedInput<'setRetention'>): number {
    const { clock, account, book } = this.#parts;
    const store = this.#store;
    if (store === undefined) throw new BridgeFault('unavailable', 'Messages of this account are not kept by rules.');
    if (peer === undefined && keep === null)
      throw new BridgeFault('invalid-input', 'An account has a rule of its own.');
    try {
      setRetention(store, keep ?? undefined, peer);
    } catch (error) {
      if (error instanceof RangeError) throw new BridgeFault('invalid-input', `${error.message}.`);
      throw error;
    }
    const before = account.history.conversations().map((each) => each.peer);
    const removed = store.transaction(() => applyRetention(store, clock.now()));
    if (removed > 0) for (const each of before) book.reset({ accountId: this.#id, peer: each });
    else if (peer !== undefined) book.touch({ accountId: this.#id, peer });
    if (peer === undefined) this.#parts.onChange();
    return removed;
  }

  /** Messages came from elsewhere. */
  resetAll(): void {
    const { account, book } = this.#parts;
    for (const { peer } of [...account.history.conversations()].reverse()) book.reset({ accountId: this.#id, peer });
  }

  removeConversation(peer: string): void {
    const { account, book } = this.#parts;
    account.history.removeConversation(peer);
    this.#notices.removeAll(peer);
    book.reset({ accountId: this.#id, peer }, true);
  }

  dismissNotice(peer: string, noticeId: string): void {
    this.#notices.remove(peer, noticeId);
    this.#parts.book.touch({ accountId: this.#id, peer });
  }

  get #id(): string {
    return this.#parts.account.config.id;
  }

  /** Nobody begins a conversation by this. */
  #tell(peer: string, notice: Parameters<ConversationNotices['add']>[1]): void {
    const key = { accountId: this.#id, peer };
    if (!this.#parts.book.has(key)) return;
    this.#notices.add(peer, notice);
    this.#parts.book.touch(key);
  }
}

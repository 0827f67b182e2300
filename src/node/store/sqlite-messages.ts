import type { ChatMessage } from '../../engine/chat-message.ts';
import { limits } from '../../engine/limits.ts';
import {
  patched,
  type ConversationSummary,
  type MessagePage,
  type MessagePatch,
  type MessageStore,
} from '../../engine/store/index.ts';
import type { SqliteDatabase } from '../sqlite/binding.ts';
import type { GroupCommit } from './group-commit.ts';
import { detailOf, indexedText, messageColumns, messageOf, type MessageRow } from './message-row.ts';
import { accountMaker, ownAccount } from './sqlite-account.ts';

const ownConversation = `(SELECT id FROM conversation WHERE account = ${ownAccount} AND peer = ?)`;
const joined = 'message JOIN conversation ON conversation.id = message.conversation';

/** Octets of it may have left; until it is known what became of them it is tried again. */
const notOwed = 'NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.account = message.account AND outbox.id = message.id)';

type SummaryRow = MessageRow & { readonly unread: number };

/** The messages of one account. */
export class SqliteMessages implements MessageStore {
  readonly #name: string;
  readonly #commit: GroupCommit;
  readonly #sql: ReturnType<typeof statements>;
  readonly #ensureAccount: () => void;

  constructor(database: SqliteDatabase, commit: GroupCommit, name: string) {
    this.#name = name;
    this.#commit = commit;
    this.#sql = statements(database);
    this.#ensureAccount = accountMaker(database, name);
  }

  add(message: ChatMessage): void {
    const { id, conversation: peer, direction, state, at, messageId = null, text } = message;
    if (this.#row(id) !== undefined) throw new Error('there is a message of this id');
    this.#commit.write(() => {
      this.#ensureAccount();
      this.#sql.addConversation.run(this.#name, peer);
      const incoming = direction === 'in' ? 1 : 0;
      const kept = indexedText(text);
      this.#sql.add.run(id, incoming, state, at, messageId, kept, detailOf(message), this.#name, peer);
    });
  }

  change(id: string, patch: MessagePatch): ChatMessage | undefined {
    const row = this.#row(id);
    if (row === undefined) return undefined;
    const before = messageOf(row);
    const after = patched(before, patch);
    const { state, messageId = null, text } = after;
    this.#commit.write(() => this.#sql.change.run(state, messageId, detailOf(after), row.seq));
    if (text !== before.text) this.#commit.remove(() => this.#sql.changeText.run(indexedText(text), row.seq));
    return after;
  }

  get(id: string): ChatMessage | undefined {
    return messageOrNone(this.#row(id));
  }

  find(peer: string, direction: ChatMessage['direction'], messageId: string): ChatMessage | undefined {
    const incoming = direction === 'in' ? 1 : 0;
    return messageOrNone(this.#commit.read(() => this.#sql.find.get(this.#name, peer, messageId, incoming)));
  }

  remove(id: string): ChatMessage | undefined {
    const row = this.#row(id);
    if (row === undefined) return undefined;
    this.#commit.remove(() => this.#sql.remove.run(row.seq));
    return messageOf(row);
  }

  page(peer: string, limit: number, before?: string): MessagePage {
    const newest = before === undefined ? Number.MAX_SAFE_INTEGER : this.#row(before, peer)?.seq;
    if (newest === undefined) return { messages: [], hasMore: false };
    const rows = this.#commit.read(() => this.#sql.page.all(this.#name, peer, newest, limit + 1));
    return { messages: rows.slice(0, limit).reverse().map(messageOf), hasMore: rows.length > limit };
  }

  pageAfter(peer: string, limit: number, after: string): MessagePage {
    const oldest = this.#row(after, peer)?.seq;
    if (oldest === undefined) return { messages: [], hasMore: false };
    const rows = this.#commit.read(() => this.#sql.pageAfter.all(this.#name, peer, oldest, limit + 1));
    return { messages: rows.slice(0, limit).map(messageOf), hasMore: rows.length > limit };
  }

  conversations(): readonly ConversationSummary[] {
    return this.#commit.read(() => this.#sql.conversations.all(this.#name)).map(summaryOf);
  }

  summary(peer: string): ConversationSummary | undefined {
    const row = this.#commit.read(() => this.#sql.summary.get(this.#name, peer));
    return row && summaryOf(row);
  }

  markRead(peer: string): void {
    // Nothing is written where nothing changes: the user looks at the same conversation often.
    if ((this.summary(peer)?.unread ?? 0) > 0) this.#commit.write(() => this.#sql.markRead.run(this.#name, peer));
  }

  removeConversation(peer: string): number {
    return this.#removed(() => this.#sql.removeConversation.run(this.#name, peer));
  }

  removeOlderThan(at: number, peer?: string): number {
    return this.#removed(() =>
      peer === undefined ? this.#sql.removeOld.run(this.#name, at) : this.#sql.removeOldOf.run(this.#name, peer, at),
    );
  }

  count(): number {
    return this.#commit.read(() => this.#sql.count.get(this.#name)) ?? 0;
  }

  *all(peer?: string): Iterable<ChatMessage> {
    for (let after = 0; ;) {
      const last = after;
      const rows = this.#commit.read(() =>
        peer === undefined ? this.#sql.all.all(this.#name, last) : this.#sql.allOf.all(this.#name, peer, last),
      );
      for (const row of rows) yield messageOf(row);
      if (rows.length < limits.exportedMessagesAtOnce) return;
      after = rows.at(-1)?.seq ?? after;
    }
  }

  #row(id: string, peer?: string): MessageRow | undefined {
    const row = this.#commit.read(() => this.#sql.get.get(this.#name, id));
    return peer === undefined || row?.peer === peer ? row : undefined;
  }

  /** The number of messages that went; `changes` counts those of triggers not. */
  #removed(action: () => { readonly changes: number }): number {
    return this.#commit.remove(action).changes;
  }
}

function statements(database: SqliteDatabase) {
  const select = `SELECT ${messageColumns} FROM ${joined}`;
  const summary = `SELECT ${messageColumns}, conversation.unread FROM conversation
    JOIN message ON message.seq = conversation.newest WHERE conversation.account = ${ownAccount}`;
  const inPieces = `ORDER BY message.seq LIMIT ${limits.exportedMessagesAtOnce}`;
  return {
    addConversation: database.prepare<[string, string]>(
      `INSERT OR IGNORE INTO conversation (account, peer) VALUES (${ownAccount}, ?)`,
    ),
    add: database.prepare<[string, number, string, number, string | null, string, string, string, string]>(
      `INSERT INTO message (id, incoming, state, at, message_id, text, detail, account, conversation)
       SELECT ?, ?, ?, ?, ?, ?, ?, account, id FROM conversation WHERE account = ${ownAccount} AND peer = ?`,
    ),
    change: database.prepare<[string, string | null, string, number]>(
      'UPDATE message SET state = ?, message_id = ?, detail = ? WHERE seq = ?',
    ),
    changeText: database.prepare<[string, number]>('UPDATE message SET text = ? WHERE seq = ?'),
    get: database.prepare<[string, string], MessageRow>(
      `${select} WHERE message.account = ${ownAccount} AND message.id = ?`,
    ),
    find: database.prepare<[string, string, string, number], MessageRow>(
      `${select} WHERE message.conversation = ${ownConversation} AND message_id = ? AND incoming = ?
       ORDER BY message.seq DESC LIMIT 1`,
    ),
    remove: database.prepare<[number]>('DELETE FROM message WHERE seq = ?'),
    page: database.prepare<[string, string, number, number], MessageRow>(
      `${select} WHERE message.conversation = ${ownConversation} AND message.seq < ? ORDER BY message.seq DESC LIMIT ?`,
    ),
    pageAfter: database.prepare<[string, string, number, number], MessageRow>(
      `${select} WHERE message.conversation = ${ownConversation} AND message.seq > ? ORDER BY message.seq LIMIT ?`,
    ),
    conversations: database.prepare<[string], SummaryRow>(`${summary} ORDER BY conversation.newest DESC`),
    summary: database.prepare<[string, string], SummaryRow>(`${summary} AND conversation.peer = ?`),
    markRead: database.prepare<[string, string]>(
      `UPDATE conversation SET read_through = newest, unread = 0 WHERE id = ${ownConversation}`,
    ),
    removeConversation: database.prepare<[string, string]>(
      `DELETE FROM message WHERE conversation = ${ownConversation}`,
    ),
    removeOld: database.prepare<[string, number]>(
      `DELETE FROM message WHERE conversation IN (SELECT id FROM conversation WHERE account = ${ownAccount})
       AND at < ? AND state <> 'queued' AND ${notOwed}`,
    ),
    removeOldOf: database.prepare<[string, string, number]>(
      `DELETE FROM message WHERE conversation = ${ownConversation} AND at < ? AND state <> 'queued' AND ${notOwed}`,
    ),
    count: database.prepare<[string], number>('SELECT messages FROM account WHERE name = ?').pluck(),
    all: database.prepare<[string, number], MessageRow>(
      `${select} WHERE +message.account = ${ownAccount} AND message.seq > ? ${inPieces}`,
    ),
    allOf: database.prepare<[string, string, number], MessageRow>(
      `${select} WHERE message.conversation = ${ownConversation} AND message.seq > ? ${inPieces}`,
    ),
  };
}

const messageOrNone = (row: MessageRow | undefined): ChatMessage | undefined => row && messageOf(row);

const summaryOf = (row: SummaryRow): ConversationSummary => ({
  peer: row.peer,
  lastMessage: messageOf(row),
  unread: row.unread,
});

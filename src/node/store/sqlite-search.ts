import {
  checkedHits,
  findWords,
  searchWords,
  type SearchHit,
  type SearchPage,
  type SearchQuery,
} from '../../engine/store/index.ts';
import type { SqliteDatabase } from '../sqlite/binding.ts';
import type { GroupCommit } from './group-commit.ts';
import { messageColumns, messageOf, type MessageRow } from './message-row.ts';

/** Begins the words that tell conversation and account in the index (store-migrations.ts). */
const mark = '\ue000';

/** Full-text search over the messages of all accounts: their order of arrival is that of the rows. */
export function createSqliteSearch(database: SqliteDatabase, commit: GroupCommit): (query: SearchQuery) => SearchPage {
  const match = database
    .prepare<[string, number, number], number>(
      `SELECT rowid FROM message_words WHERE message_words MATCH ? AND rowid < ? ORDER BY rowid DESC LIMIT ?`,
    )
    .pluck();
  const message = database.prepare<[number], MessageRow & { readonly account: string }>(
    `SELECT ${messageColumns}, account.name AS account FROM message
     JOIN conversation ON conversation.id = message.conversation JOIN account ON account.id = message.account
     WHERE message.seq = ?`,
  );
  const conversations = database.prepare<
    [string],
    { readonly id: number; readonly account: number; readonly name: string }
  >(
    `SELECT conversation.id, account.id AS account, account.name FROM account
     JOIN conversation ON conversation.account = account.id AND conversation.peer = ?`,
  );
  const account = database.prepare<[string], number>('SELECT id FROM account WHERE name = ?').pluck();

  /** The places to search as one word of the index each; undefined for everywhere. */
  const places = ({ accountId, peer }: SearchQuery): readonly string[] | undefined => {
    if (peer !== undefined) {
      return conversations
        .all(peer)
        .filter(({ name }) => accountId === undefined || name === accountId)
        .map(({ id }) => `"${mark}c${id}"`);
    }
    if (accountId === undefined) return undefined;
    const id = account.get(accountId);
    return id === undefined ? [] : [`"${mark}a${id}"`];
  };

  const find = (query: SearchQuery, words: readonly string[], limit: number): readonly number[] => {
    const within = places(query);
    if (within?.length === 0) return [];
    const wanted = words.map((word) => `"${word}"*`);
    const expression = [...(within === undefined ? [] : [`(${within.join(' OR ')})`]), ...wanted].join(' AND ');
    const before = query.after === undefined ? Number.MAX_SAFE_INTEGER : Number(query.after);
    return match.all(expression, Number.isSafeInteger(before) ? before : 0, limit + 1);
  };

  return (query) =>
    commit.read(() => {
      const limit = checkedHits(query.limit);
      const words = searchWords(query.text);
      if (words.length === 0) return { hits: [] };
      const rows = find(query, words, limit);
      const hits = rows.slice(0, limit).flatMap((seq): SearchHit[] => {
        const row = message.get(seq);
        if (row === undefined) return [];
        const found = messageOf(row);
        return [{ accountId: row.account, message: found, matches: findWords(found.text, words) }];
      });
      return { hits, ...(rows.length > limit ? { next: String(rows[limit - 1]) } : {}) };
    });
}

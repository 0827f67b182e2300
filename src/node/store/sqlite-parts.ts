import { limits } from '../../engine/limits.ts';
import {
  checkSealed,
  noteText,
  seenKeyText,
  type Note,
  type NoteStore,
  type OutboxEntry,
  type OutboxStore,
  type SealedMessage,
  type SealedStore,
  type SeenStore,
} from '../../engine/store/index.ts';
import type { SqliteDatabase } from '../sqlite/binding.ts';
import type { GroupCommit } from './group-commit.ts';
import { accountMaker, ownAccount } from './sqlite-account.ts';

/** The parts of a store beside the messages, each of one account. */

export function createSqliteOutbox(database: SqliteDatabase, commit: GroupCommit, name: string): OutboxStore {
  const ensureAccount = accountMaker(database, name);
  const put = database.prepare<[string, string, string, number, string]>(
    `INSERT INTO outbox (account, id, peer, sequence, entry) VALUES (${ownAccount}, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET peer = excluded.peer, sequence = excluded.sequence, entry = excluded.entry`,
  );
  const raise = database.prepare<[number, string, number]>(
    'UPDATE account SET highest_sequence = ? WHERE name = ? AND highest_sequence < ?',
  );
  const remove = database.prepare<[string, string]>(`DELETE FROM outbox WHERE account = ${ownAccount} AND id = ?`);
  const select = `SELECT entry FROM outbox WHERE account = ${ownAccount}`;
  const get = database.prepare<[string, string], string>(`${select} AND id = ?`).pluck();
  const list = database.prepare<[string], string>(`${select} ORDER BY sequence`).pluck();
  const listOf = database.prepare<[string, string], string>(`${select} AND peer = ? ORDER BY sequence`).pluck();
  const count = database.prepare<[string], number>(`SELECT count(*) FROM outbox WHERE account = ${ownAccount}`).pluck();
  const highest = database.prepare<[string], number>('SELECT highest_sequence FROM account WHERE name = ?').pluck();
  const entryOf = (text: string): OutboxEntry => JSON.parse(text) as OutboxEntry;
  return {
    put(entry) {
      commit.write(() => {
        ensureAccount();
        raise.run(entry.sequence, name, entry.sequence);
        put.run(name, entry.id, entry.peer, entry.sequence, JSON.stringify(entry));
      });
    },
    remove: (id) => void commit.write(() => remove.run(name, id)),
    get(id) {
      const text = commit.read(() => get.get(name, id));
      return text === undefined ? undefined : entryOf(text);
    },
    list: (peer) => commit.read(() => (peer === undefined ? list.all(name) : listOf.all(name, peer))).map(entryOf),
    count: () => commit.read(() => count.get(name)) ?? 0,
    nextSequence: () => (commit.read(() => highest.get(name)) ?? 0) + 1,
  };
}

export function createSqliteSeen(database: SqliteDatabase, commit: GroupCommit, name: string): SeenStore {
  const ensureAccount = accountMaker(database, name);
  const until = database
    .prepare<[string, Uint8Array], number>(`SELECT until FROM seen WHERE account = ${ownAccount} AND key = ?`)
    .pluck();
  const add = database.prepare<[string, Uint8Array, number, string]>(
    `INSERT INTO seen (account, key, until, sender) VALUES (${ownAccount}, ?, ?, ?)`,
  );
  const remove = database.prepare<[string, Uint8Array]>(`DELETE FROM seen WHERE account = ${ownAccount} AND key = ?`);
  const countOf = database
    .prepare<[string, string], number>(`SELECT seen FROM seen_sender WHERE account = ${ownAccount} AND sender = ?`)
    .pluck();
  const count = database.prepare<[string], number>('SELECT seen FROM account WHERE name = ?').pluck();
  const forget = database.prepare<[string, number]>(`DELETE FROM seen WHERE account = ${ownAccount} AND until <= ?`);
  const has = (key: Uint8Array, now: number): boolean => {
    seenKeyText(key);
    return (commit.read(() => until.get(name, key)) ?? -Infinity) > now;
  };
  const isFull = (now: number, sender: string): boolean => {
    const reaches = (): boolean =>
      (commit.read(() => count.get(name)) ?? 0) >= limits.seenEntries ||
      (commit.read(() => countOf.get(name, sender)) ?? 0) >= limits.seenEntriesOfSender;
    if (!reaches()) return false;
    commit.write(() => forget.run(name, now));
    return reaches();
  };
  return {
    add(key, validUntil, now, sender) {
      if (has(key, now)) return 'replayed';
      if (isFull(now, sender)) return 'full';
      commit.write(() => {
        ensureAccount();
        // One whose time is over counts for whoever sends it now.
        remove.run(name, key);
        add.run(name, key, validUntil, sender);
      });
      return 'fresh';
    },
    has,
    isFull,
  };
}

interface SealedRow {
  readonly id: string;
  readonly content_type: string;
  readonly body: Uint8Array;
  readonly asserted: string;
  readonly received_at: number;
  readonly valid_until: number | null;
}

export function createSqliteSealed(database: SqliteDatabase, commit: GroupCommit, name: string): SealedStore {
  const ensureAccount = accountMaker(database, name);
  const put = database.prepare<[string, string, string, Uint8Array, string, number, number | null]>(
    `INSERT OR REPLACE INTO sealed (account, id, content_type, body, asserted, received_at, valid_until)
     VALUES (${ownAccount}, ?, ?, ?, ?, ?, ?)`,
  );
  const select = `SELECT * FROM sealed WHERE account = ${ownAccount}`;
  const get = database.prepare<[string, string], SealedRow>(`${select} AND id = ?`);
  const list = database.prepare<[string], SealedRow>(`${select} ORDER BY received_at, rowid`);
  const remove = database.prepare<[string, string]>(`DELETE FROM sealed WHERE account = ${ownAccount} AND id = ?`);
  return {
    put(message) {
      checkSealed(message);
      const { id, contentType, body, asserted, receivedAt, validUntil = null } = message;
      commit.write(() => {
        ensureAccount();
        put.run(name, id, contentType, body, asserted, receivedAt, validUntil);
      });
    },
    get(id) {
      const row = commit.read(() => get.get(name, id));
      return row && sealedOf(row);
    },
    remove: (id) => void commit.write(() => remove.run(name, id)),
    list: () => commit.read(() => list.all(name)).map(sealedOf),
  };
}

const sealedOf = (row: SealedRow): SealedMessage => ({
  id: row.id,
  contentType: row.content_type,
  body: Uint8Array.from(row.body),
  asserted: row.asserted,
  receivedAt: row.received_at,
  ...(row.valid_until === null ? {} : { validUntil: row.valid_until }),
});

/** @param name absent for the notes that belong to no account */
export function createSqliteNotes(database: SqliteDatabase, commit: GroupCommit, name?: string): NoteStore {
  const ensureAccount = name === undefined ? () => undefined : accountMaker(database, name);
  const account = name === undefined ? 'coalesce(?, 0)' : ownAccount;
  const own = name ?? null;
  const get = database
    .prepare<[string | null, string, string], string>(
      `SELECT value FROM note WHERE account = ${account} AND kind = ? AND key = ?`,
    )
    .pluck();
  const set = database.prepare<[string | null, string, string, string]>(
    `INSERT OR REPLACE INTO note (account, kind, key, value) VALUES (${account}, ?, ?, ?)`,
  );
  const remove = database.prepare<[string | null, string, string]>(
    `DELETE FROM note WHERE account = ${account} AND kind = ? AND key = ?`,
  );
  const list = database.prepare<
    [string | null, string, string, string],
    { readonly key: string; readonly value: string }
  >(`SELECT key, value FROM note WHERE account = ${account} AND kind = ? AND key >= ? AND key < ? ORDER BY key`);
  return {
    get(kind, key) {
      const text = commit.read(() => get.get(own, kind, key));
      return text === undefined ? undefined : noteOf(text);
    },
    set(kind, key, value) {
      const text = noteText(value);
      commit.write(() => {
        ensureAccount();
        set.run(own, kind, key, text);
      });
    },
    delete: (kind, key) => void commit.write(() => remove.run(own, kind, key)),
    list: (kind, prefix = '') =>
      // U+10FFFF stands for no character and comes after all of them.
      commit
        .read(() => list.all(own, kind, prefix, `${prefix}\u{10ffff}`))
        .map(({ key, value }) => ({ key, value: noteOf(value) })),
  };
}

const noteOf = (text: string): Note => JSON.parse(text) as Note;

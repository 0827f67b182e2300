import { equalBytes } from '../../../base/bytes.ts';
import type { ReplayMemory } from '../../../protocol/mikey/index.ts';
import { chainLines, type AuditEntry, type AuditHead, type AuditLine } from '../../audit-chain.ts';
import {
  replicaClockMilliseconds,
  type AuditStore,
  type KmsStorage,
  type Rewrapping,
  type StoredTpk,
  type TpkStore,
} from '../../ports.ts';
import { AuditQueue } from '../audit-queue.ts';
import { ReplayCensus } from '../replay-census.ts';
import { loadSqliteBinding, type SqliteDatabase } from './binding.ts';
import { inStorage, openSqliteDatabase } from './sqlite-database.ts';
import { SqliteGroups, SqliteUsers } from './sqlite-users.ts';

export interface SqliteStorageOptions {
  readonly path: string;
  /** Most messages remembered against replay. */
  readonly replayCapacity: number;
  /** How the native binding is found; for tests. */
  readonly load?: () => unknown;
}

/**
 * Users, keys, replay memory and audit in one file, shared by the processes of one machine.
 * @throws KmsStorageError when SQLite cannot be loaded or the file not be used.
 */
export function openSqliteStorage({ path, replayCapacity, load }: SqliteStorageOptions): KmsStorage {
  const binding = loadSqliteBinding(load);
  const database = openSqliteDatabase(binding, path, 'full');
  // Replays wait for no disk: the audit line of the same exchange does, in the same log and after them.
  const quick = openSqliteDatabase(binding, path, 'normal');
  const users = new SqliteUsers(database);
  const tpks = new SqliteTpks(database);
  const audit = new SqliteAudit(database);
  return {
    users,
    groups: new SqliteGroups(database),
    replays: new SqliteReplays(quick, replayCapacity),
    tpks,
    audit,
    keyCheck: {
      get: () => inStorage(() => readKeyCheck(database)),
      getOrSet: (fresh) =>
        inStorage(() =>
          database
            .transaction(() => {
              const kept = readKeyCheck(database);
              if (kept !== undefined) return kept;
              database.prepare('INSERT INTO kms_key_check VALUES (1, ?)').run(fresh);
              return fresh;
            })
            .immediate(),
        ),
    },
    rewrap: (rewrapping) => rewrapAll(database, users, tpks, rewrapping),
    check: () =>
      inStorage(() => {
        // Takes and leaves the write lock: a file that became read-only or a full disk shows.
        database.transaction(() => database.prepare('UPDATE kms_audit_head SET only = 1').run()).immediate();
      }),
    async close() {
      await audit.idle();
      quick.close();
      database.close();
    },
  };
}

function readKeyCheck(database: SqliteDatabase): Uint8Array | undefined {
  const row = database.prepare<[], { value: Uint8Array }>('SELECT value FROM kms_key_check').get();
  return row === undefined ? undefined : Uint8Array.from(row.value);
}

/** What `rewrapping` throws is the caller's fault and comes out as it is. */
function rewrapAll(
  database: SqliteDatabase,
  users: SqliteUsers,
  tpks: SqliteTpks,
  rewrapping: Rewrapping,
): Promise<void> {
  return Promise.resolve().then(() => {
    database
      .transaction(() => {
        users.rewrap(rewrapping.user);
        tpks.rewrap(rewrapping.tpk);
        database.prepare('INSERT OR REPLACE INTO kms_key_check VALUES (1, ?)').run(rewrapping.keyCheck);
      })
      .immediate();
  });
}

class SqliteReplays implements ReplayMemory {
  readonly #census: ReplayCensus;
  readonly #find;
  readonly #insert;
  readonly #deleteOld;
  readonly #count;

  constructor(database: SqliteDatabase, capacity: number) {
    this.#census = new ReplayCensus(capacity);
    this.#find = database.prepare<[Uint8Array, number]>('SELECT 1 FROM kms_replay WHERE digest = ? AND until >= ?');
    this.#insert = database.prepare<[Uint8Array, number, number]>(
      `INSERT INTO kms_replay (digest, until) VALUES (?, ?)
       ON CONFLICT (digest) DO UPDATE SET until = excluded.until WHERE until < ?`,
    );
    this.#deleteOld = database.prepare<[number]>('DELETE FROM kms_replay WHERE until < ?');
    this.#count = database.prepare<[], number>('SELECT count(*) FROM kms_replay').pluck();
  }

  remember(digest: Uint8Array, until: number, now: number): ReturnType<ReplayMemory['remember']> {
    return inStorage(() => {
      if (this.#census.needsSweep(now)) {
        this.#deleteOld.run(now - replicaClockMilliseconds);
        this.#census.swept(Number(this.#count.get()), now);
      }
      if (this.#census.isFull) return this.#find.get(digest, now) === undefined ? 'full' : 'replayed';
      if (this.#insert.run(digest, until, now).changes === 0) return 'replayed';
      this.#census.added();
      return 'new';
    });
  }
}

interface TpkRow {
  readonly id: Uint8Array;
  readonly wrapped_key: Uint8Array;
  readonly created_at: number;
  readonly active_from: number;
}

const tpkOf = (row: TpkRow): StoredTpk => ({
  id: Uint8Array.from(row.id),
  wrappedKey: Uint8Array.from(row.wrapped_key),
  createdAt: row.created_at,
  activeFrom: row.active_from,
});

class SqliteTpks implements TpkStore {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  list(): Promise<readonly StoredTpk[]> {
    return inStorage(() => this.#all());
  }

  add({ id, wrappedKey, createdAt, activeFrom }: StoredTpk, newest: Uint8Array | undefined): Promise<boolean> {
    const add = this.#database.transaction(() => {
      const last = this.#all().at(-1)?.id;
      const isExpected = last === undefined || newest === undefined ? last === newest : equalBytes(last, newest);
      if (!isExpected) return false;
      this.#database.prepare('INSERT INTO kms_tpk VALUES (?, ?, ?, ?)').run(id, wrappedKey, createdAt, activeFrom);
      return true;
    });
    return inStorage(() => add.immediate());
  }

  remove(ids: readonly Uint8Array[]): Promise<void> {
    const remove = this.#database.transaction(() => {
      for (const id of ids) this.#database.prepare('DELETE FROM kms_tpk WHERE id = ?').run(id);
    });
    return inStorage(() => {
      remove.immediate();
    });
  }

  /** Within a transaction of the caller. */
  rewrap(rewrap: Rewrapping['tpk']): void {
    const update = this.#database.prepare('UPDATE kms_tpk SET wrapped_key = ? WHERE id = ?');
    for (const tpk of this.#all()) update.run(rewrap(tpk), tpk.id);
  }

  #all(): readonly StoredTpk[] {
    return this.#database.prepare<[], TpkRow>('SELECT * FROM kms_tpk ORDER BY created_at, id').all().map(tpkOf);
  }
}

class SqliteAudit implements AuditStore {
  readonly #queue: AuditQueue;
  readonly #readHead;
  readonly #read;

  constructor(database: SqliteDatabase) {
    this.#readHead = database.prepare<[], AuditHead>('SELECT sequence, hash FROM kms_audit_head');
    this.#read = database.prepare<[number, number], AuditLine>(
      'SELECT sequence, text, hash FROM kms_audit WHERE sequence > ? ORDER BY sequence LIMIT ?',
    );
    const insert = database.prepare<[number, string, Uint8Array]>('INSERT INTO kms_audit VALUES (?, ?, ?)');
    const setHead = database.prepare<[number, Uint8Array]>('UPDATE kms_audit_head SET sequence = ?, hash = ?');
    const write = database.transaction((entries: readonly AuditEntry[]) => {
      const head = this.#readHead.get();
      if (head === undefined) throw new Error('the head of the audit is missing');
      const lines = chainLines(head, entries);
      for (const { sequence, text, hash } of lines) insert.run(sequence, text, hash);
      const { sequence, hash } = lines.at(-1) ?? head;
      setHead.run(sequence, hash);
      return lines;
    });
    this.#queue = new AuditQueue((entries) => inStorage(() => write.immediate(entries)));
  }

  append(entry: AuditEntry): Promise<AuditHead> {
    return this.#queue.append(entry);
  }

  head(): Promise<AuditHead | undefined> {
    return inStorage(() => {
      const head = this.#readHead.get();
      return head === undefined || head.sequence === 0
        ? undefined
        : { sequence: head.sequence, hash: Uint8Array.from(head.hash) };
    });
  }

  read(after: number, limit: number): Promise<readonly AuditLine[]> {
    return inStorage(() => this.#read.all(after, limit).map((line) => ({ ...line, hash: Uint8Array.from(line.hash) })));
  }

  idle(): Promise<void> {
    return this.#queue.idle();
  }
}

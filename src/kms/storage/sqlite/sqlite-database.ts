import { closeSync, openSync } from 'node:fs';
import { describeError } from '../../../base/errors.ts';
import { KmsStorageError } from '../../ports.ts';
import type { SqliteBinding, SqliteDatabase } from './binding.ts';
import { sqliteMigrations } from './migrations.ts';

const busyMilliseconds = 5000;

/** What a connection waits for when it commits: `full` until it is on the disk, `normal` for nothing. */
export type Synchronous = 'full' | 'normal';

/**
 * A connection to a file in WAL mode; a new file is readable to its owner only.
 * @throws KmsStorageError when the file cannot be used.
 */
export function openSqliteDatabase(binding: SqliteBinding, path: string, synchronous: Synchronous): SqliteDatabase {
  let database: SqliteDatabase | undefined;
  try {
    // SQLite itself would make it readable to all whom the umask allows.
    closeSync(openSync(path, 'a', 0o600));
    database = new binding(path, { timeout: busyMilliseconds });
    database.pragma('journal_mode = WAL');
    database.pragma(`synchronous = ${synchronous.toUpperCase()}`);
    database.pragma('foreign_keys = ON');
    migrate(database);
    return database;
  } catch (cause) {
    database?.close();
    if (cause instanceof KmsStorageError) throw cause;
    throw new KmsStorageError(`cannot open ${path}: ${describeError(cause)}`, { cause });
  }
}

function migrate(database: SqliteDatabase): void {
  database
    .transaction(() => {
      const version = Number(database.pragma('user_version', { simple: true }));
      const newest = sqliteMigrations.length;
      if (version > newest)
        throw new KmsStorageError(`the storage has schema ${version}; this program knows ${newest}`);
      for (const { number, sql } of sqliteMigrations) {
        if (number <= version) continue;
        database.exec(sql);
        database.pragma(`user_version = ${number}`);
      }
    })
    .immediate();
}

/** Runs what SQLite does at once as a promise, its failures as the storage's. */
export function inStorage<T>(action: () => T): Promise<T> {
  try {
    return Promise.resolve(action());
  } catch (cause) {
    return Promise.reject(new KmsStorageError(`SQLite: ${describeError(cause)}`, { cause }));
  }
}

import { describeError } from '../../../base/errors.ts';
import { loadSqlite, type SqliteBinding } from '../../../node/sqlite/binding.ts';
import { KmsStorageError } from '../../ports.ts';

export type { SqliteBinding, SqliteDatabase } from '../../../node/sqlite/binding.ts';

/** @throws KmsStorageError where the native binding is missing or made for another system. */
export function loadSqliteBinding(load?: () => unknown): SqliteBinding {
  try {
    return loadSqlite(load);
  } catch (cause) {
    throw new KmsStorageError(`${describeError(cause)}; PostgreSQL can be used instead`, { cause });
  }
}

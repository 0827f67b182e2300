import { createRequire } from 'node:module';
import { describeError } from '../../base/errors.ts';

const require = createRequire(import.meta.url);

// What is used of better-sqlite3-multiple-ciphers: its package does not export its own declarations.

export interface SqliteStatement<Parameters extends readonly unknown[], Row> {
  run(...parameters: Parameters): { readonly changes: number; readonly lastInsertRowid: number | bigint };
  get(...parameters: Parameters): Row | undefined;
  all(...parameters: Parameters): Row[];
  /** Rows become their first column. */
  pluck(): this;
}

export interface SqliteDatabase {
  readonly inTransaction: boolean;
  prepare<Parameters extends readonly unknown[], Row = unknown>(sql: string): SqliteStatement<Parameters, Row>;
  /** `immediate` runs the action in a transaction that holds the write lock from its beginning. */
  transaction<Parameters extends readonly unknown[], Result>(
    action: (...parameters: Parameters) => Result,
  ): { immediate(...parameters: Parameters): Result };
  exec(sql: string): void;
  pragma(text: string, options?: { readonly simple: boolean }): unknown;
  close(): void;
}

export type SqliteBinding = new (path: string, options: { readonly timeout: number }) => SqliteDatabase;

/** The native binding is missing or made for another system. */
export class SqliteMissingError extends Error {
  override readonly name = 'SqliteMissingError';
}

/** @throws SqliteMissingError */
export function loadSqlite(load: () => unknown = () => require('better-sqlite3-multiple-ciphers')): SqliteBinding {
  try {
    return load() as SqliteBinding;
  } catch (cause) {
    const [reason = ''] = describeError(cause).split('\n');
    throw new SqliteMissingError(`SQLite cannot be loaded on this machine (${reason})`, { cause });
  }
}

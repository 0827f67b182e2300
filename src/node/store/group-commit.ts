import { StoreError } from '../../engine/store/index.ts';
import type { SqliteDatabase } from '../sqlite/binding.ts';
import { codeOf, storeErrorOf } from './store-error.ts';

/** How long a write waits for others when nobody asked for it to be durable, and how many there may be. */
const gatherMilliseconds = 20;
const gatheredWrites = 5_000;
/** After a commit that failed without losing what it was to commit. */
const retryMilliseconds = 1_000;

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: StoreError) => void;
}

/**
 * Writes of the same moment share one transaction and so one wait for the disk: the first begins it, and it is committed at the end of
 * the turn of the event loop in which `durable` was asked for, else shortly after. Reads on the connection see it at once.
 */
export class GroupCommit {
  readonly #database: SqliteDatabase;
  readonly #tell: (error: StoreError) => void;
  readonly #begin;
  readonly #commit;
  readonly #savepoint;
  readonly #release;
  readonly #rollback;
  readonly #undo;
  #waiters: Waiter[] = [];
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;
  #depth = 0;
  #writes = 0;
  #hasRemoved = false;
  /** What was written in this turn and reported as visible was taken back. */
  #lost: StoreError | undefined;
  #isClosed = false;

  /** @param tell is told of each failure of the storage, also of a commit for which nobody waits */
  constructor(database: SqliteDatabase, tell: (error: StoreError) => void = () => undefined) {
    this.#database = database;
    this.#tell = tell;
    this.#begin = database.prepare<[]>('BEGIN IMMEDIATE');
    this.#commit = database.prepare<[]>('COMMIT');
    this.#savepoint = database.prepare<[]>('SAVEPOINT work');
    this.#release = database.prepare<[]>('RELEASE work');
    this.#rollback = database.prepare<[]>('ROLLBACK TO work');
    this.#undo = database.prepare<[]>('ROLLBACK');
  }

  /** Runs a read. @throws StoreError */
  read<Result>(action: () => Result): Result {
    try {
      return action();
    } catch (cause) {
      throw this.#failure(cause);
    }
  }

  /** Runs one statement that writes, or several that need not stand and fall together. @throws StoreError */
  write<Result>(action: () => Result): Result {
    try {
      this.#open();
      const result = action();
      this.#writes++;
      if (this.#writes >= gatheredWrites && this.#depth === 0) this.#tryCommit();
      return result;
    } catch (cause) {
      throw this.#failure(cause);
    }
  }

  /** As `write`, for what has to be gone from every file once it is committed. */
  remove<Result>(action: () => Result): Result {
    const result = this.write(action);
    this.#hasRemoved = true;
    return result;
  }

  /** All or nothing. Whatever `work` throws goes on. */
  transaction<Result>(work: () => Result): Result {
    // Under a savepoint each later statement costs what was changed since: a long import has the whole transaction for itself.
    const isAlone = !this.#database.inTransaction;
    this.#depth++;
    try {
      if (isAlone) return this.#alone(work);
      this.write(() => this.#savepoint.run());
      return this.#within(work);
    } finally {
      this.#depth--;
    }
  }

  durable(): Promise<void> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost);
    if (!this.#database.inTransaction) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      this.#immediate ??= setImmediate(() => this.#tryCommit());
    });
  }

  /** Commits what is there and leaves nothing outside the file itself. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#tryCommit();
    clearTimeout(this.#timer);
    try {
      this.#database.pragma('wal_checkpoint(TRUNCATE)');
    } catch {
      // What is not in the file yet is in the log beside it, and is taken from there at the next start.
    }
  }

  #alone<Result>(work: () => Result): Result {
    try {
      return work();
    } catch (error) {
      if (this.#database.inTransaction) this.#undo.run();
      this.#writes = 0;
      throw error;
    }
  }

  #within<Result>(work: () => Result): Result {
    try {
      const result = work();
      this.write(() => this.#release.run());
      return result;
    } catch (error) {
      // After some failures SQLite has taken back everything by itself.
      if (this.#database.inTransaction) {
        this.#rollback.run();
        this.#release.run();
      }
      throw error;
    }
  }

  #open(): void {
    if (this.#isClosed) throw new StoreError('failed', 'the store is closed');
    if (this.#database.inTransaction) return;
    this.#begin.run();
    this.#writes = 0;
    this.#later(gatherMilliseconds);
  }

  #later(milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#tryCommit(), milliseconds);
  }

  #tryCommit(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
    this.#immediate = undefined;
    this.#lost = undefined;
    const waiters = this.#waiters;
    this.#waiters = [];
    try {
      if (this.#database.inTransaction) this.#commit.run();
      this.#writes = 0;
    } catch (cause) {
      const error = storeErrorOf(this.#failure(cause));
      if (this.#database.inTransaction && !this.#isClosed) this.#later(retryMilliseconds);
      for (const { reject } of waiters) reject(error);
      return;
    }
    for (const { resolve } of waiters) resolve();
    this.#wipe();
  }

  /** What was removed is zeros in the file, but may still stand in its log. */
  #wipe(): void {
    if (!this.#hasRemoved || this.#isClosed) return;
    try {
      this.#database.pragma('wal_checkpoint(TRUNCATE)');
      this.#hasRemoved = false;
    } catch (cause) {
      // It stays to be done: with the next commit, or when the store is closed.
      this.#failure(cause);
    }
  }

  #failure(cause: unknown): unknown {
    // A mistake of the caller is no failure of the storage.
    if (!codeOf(cause).startsWith('SQLITE_')) return cause;
    const error = storeErrorOf(cause);
    this.#tell(error);
    if (!this.#database.inTransaction && this.#writes > 0) this.#lose(error);
    return error;
  }

  /** SQLite took the whole transaction back: nobody may be told that what was in it is durable. */
  #lose(error: StoreError): void {
    this.#lost = error;
    this.#writes = 0;
    for (const { reject } of this.#waiters) reject(error);
    this.#waiters = [];
    this.#immediate ??= setImmediate(() => this.#tryCommit());
  }
}

import pg from 'pg';
import { describeError } from '../../../base/errors.ts';
import { KmsStorageError } from '../../ports.ts';
import { postgresMigrations } from './migrations.ts';

const connectMilliseconds = 5000;
const queryMilliseconds = 10_000;
/** Any number, the same in all replicas. */
const migrationLock = 4_301_600;

export interface Query {
  readonly text: string;
  readonly values?: readonly unknown[];
  /** Prepared once a connection under this name. */
  readonly name?: string;
}

/** A broken connection tells each of its questions; told besides, with nobody listening, it would end the process. */
const ignore = (): void => undefined;

/** Runs a query of one transaction. */
export type Ask = <Row extends object>(query: Query) => Promise<readonly Row[]>;

/**
 * Connections to one database. Failures of the server or the network are `KmsStorageError`s; what a caller's own code throws
 * inside a transaction comes out as it is, and the transaction is undone.
 */
export class PostgresConnections {
  readonly #pool: pg.Pool;

  /** @param waitsForDisk false: a commit may be lost when the server loses its power, unless a later one waited. */
  constructor(url: string, { connections, waitsForDisk }: { connections: number; waitsForDisk: boolean }) {
    this.#pool = new pg.Pool({
      connectionString: url,
      max: connections,
      connectionTimeoutMillis: connectMilliseconds,
      query_timeout: queryMilliseconds,
      statement_timeout: queryMilliseconds,
      idle_in_transaction_session_timeout: queryMilliseconds,
      keepAlive: true,
      application_name: 'tessera-kms',
      options: `-c synchronous_commit=${waitsForDisk ? 'on' : 'off'}`,
    });
    // A connection that breaks while nobody uses it: the pool makes another when one is needed.
    this.#pool.on('error', ignore);
  }

  async ask<Row extends object>(query: Query): Promise<readonly Row[]> {
    return inStorage(async () => (await this.#pool.query<Row>(asConfig(query))).rows);
  }

  async transaction<Result>(action: (ask: Ask) => Promise<Result>): Promise<Result> {
    const client = await inStorage(() => this.#pool.connect());
    // The pool listens only to connections that are not lent.
    client.on('error', ignore);
    const release = (isBroken: boolean): void => {
      client.off('error', ignore);
      client.release(isBroken);
    };
    const ask: Ask = <Row extends object>(query: Query) =>
      inStorage(async () => (await client.query<Row>(asConfig(query))).rows);
    try {
      await ask({ text: 'BEGIN' });
      const result = await action(ask);
      await ask({ text: 'COMMIT' });
      release(false);
      return result;
    } catch (error) {
      // Closing the connection undoes the transaction, also where a ROLLBACK would not get through.
      release(true);
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#pool.end();
  }
}

const asConfig = ({ text, values = [], name }: Query): pg.QueryConfig => ({
  text,
  values: [...values],
  ...(name === undefined ? {} : { name }),
});

async function inStorage<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    throw new KmsStorageError(`PostgreSQL: ${describeError(cause)}`, { cause });
  }
}

/** Brings the schema up to date; replicas that start together wait for each other. */
export async function migrate(connections: PostgresConnections): Promise<void> {
  await connections.transaction(async (ask) => {
    await ask({ text: 'SELECT pg_advisory_xact_lock($1)', values: [migrationLock] });
    await ask({ text: 'CREATE TABLE IF NOT EXISTS kms_schema (number integer PRIMARY KEY)' });
    const rows = await ask<{ number: number }>({ text: 'SELECT number FROM kms_schema' });
    const version = Math.max(0, ...rows.map(({ number }) => number));
    const newest = postgresMigrations.length;
    if (version > newest) throw new KmsStorageError(`the storage has schema ${version}; this program knows ${newest}`);
    for (const { number, sql } of postgresMigrations) {
      if (number <= version) continue;
      // Several statements: without values they go in one message.
      await ask({ text: sql });
      await ask({ text: 'INSERT INTO kms_schema VALUES ($1)', values: [number] });
    }
  });
}

import { equalBytes } from '../../../base/bytes.ts';
import type { ReplayMemory } from '../../../protocol/mikey/index.ts';
import { chainLines, type AuditEntry, type AuditHead, type AuditLine } from '../../audit-chain.ts';
import {
  KmsStorageError,
  replicaClockMilliseconds,
  type AuditStore,
  type KmsStorage,
  type StoredTpk,
  type TpkStore,
} from '../../ports.ts';
import { AuditQueue } from '../audit-queue.ts';
import { ReplayCensus } from '../replay-census.ts';
import { migrate, PostgresConnections, type Ask } from './connections.ts';
import { PostgresGroups, PostgresUsers, rewrapUsers } from './postgres-users.ts';

export interface PostgresStorageOptions {
  /** `postgres://user@host/database`. */
  readonly url: string;
  /** Most connections of this replica. */
  readonly connections: number;
  /** Most messages remembered against replay, by all replicas together. */
  readonly replayCapacity: number;
}

/**
 * Users, keys, replay memory and audit in a PostgreSQL database, shared by several replicas.
 * Rejects with a `KmsStorageError` when the database cannot be reached or its schema is newer than this program.
 */
export async function openPostgresStorage(options: PostgresStorageOptions): Promise<KmsStorage> {
  const { url, connections: most, replayCapacity } = options;
  const connections = new PostgresConnections(url, { connections: Math.ceil(most / 2), waitsForDisk: true });
  // Replays wait for no disk: the audit line of the same exchange does, in the same log and after them.
  const quick = new PostgresConnections(url, { connections: Math.floor(most / 2), waitsForDisk: false });
  const audit = new PostgresAudit(connections);
  const close = async (): Promise<void> => {
    await audit.idle();
    await Promise.all([connections.close(), quick.close()]);
  };
  try {
    await migrate(connections);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    users: new PostgresUsers(connections),
    groups: new PostgresGroups(connections),
    replays: new PostgresReplays(quick, replayCapacity),
    tpks: new PostgresTpks(connections),
    audit,
    keyCheck: {
      get: () => readKeyCheck((query) => connections.ask(query)),
      getOrSet: (fresh) =>
        connections.transaction(async (ask) => {
          await ask({ text: 'LOCK TABLE kms_key_check IN SHARE ROW EXCLUSIVE MODE' });
          const kept = await readKeyCheck(ask);
          if (kept !== undefined) return kept;
          await ask({ text: 'INSERT INTO kms_key_check VALUES (1, $1)', values: [Buffer.from(fresh)] });
          return fresh;
        }),
    },
    rewrap: (rewrapping) =>
      connections.transaction(async (ask) => {
        await rewrapUsers(ask, rewrapping.user);
        await ask({ text: 'LOCK TABLE kms_tpk IN SHARE ROW EXCLUSIVE MODE' });
        for (const tpk of await listTpks(ask)) {
          const values = [Buffer.from(rewrapping.tpk(tpk)), Buffer.from(tpk.id)];
          await ask({ text: 'UPDATE kms_tpk SET wrapped_key = $1 WHERE id = $2', values });
        }
        const text = `INSERT INTO kms_key_check VALUES (1, $1) ON CONFLICT (only_one) DO UPDATE SET value = EXCLUDED.value`;
        await ask({ text, values: [Buffer.from(rewrapping.keyCheck)] });
      }),
    async check() {
      // Fails on a server that only reads, as a standby does.
      await connections.ask({ text: 'SELECT sequence FROM kms_audit_head FOR SHARE' });
    },
    close,
  };
}

async function readKeyCheck(ask: Ask): Promise<Uint8Array | undefined> {
  const [row] = await ask<{ readonly value: Uint8Array }>({ text: 'SELECT value FROM kms_key_check' });
  return row && Uint8Array.from(row.value);
}

class PostgresReplays implements ReplayMemory {
  readonly #connections: PostgresConnections;
  readonly #census: ReplayCensus;

  constructor(connections: PostgresConnections, capacity: number) {
    this.#connections = connections;
    this.#census = new ReplayCensus(capacity);
  }

  async remember(digest: Uint8Array, until: number, now: number): Promise<'new' | 'replayed' | 'full'> {
    if (this.#census.needsSweep(now)) await this.#sweep(now);
    const key = Buffer.from(digest);
    if (this.#census.isFull) {
      const text = 'SELECT 1 FROM kms_replay WHERE digest = $1 AND until >= $2';
      const known = await this.#connections.ask({ name: 'replay-find', text, values: [key, now] });
      return known.length === 0 ? 'full' : 'replayed';
    }
    const added = await this.#connections.ask({
      name: 'replay-add',
      text: `INSERT INTO kms_replay (digest, until) VALUES ($1, $2)
        ON CONFLICT (digest) DO UPDATE SET until = EXCLUDED.until WHERE kms_replay.until < $3 RETURNING 1`,
      values: [key, until, now],
    });
    if (added.length === 0) return 'replayed';
    this.#census.added();
    return 'new';
  }

  async #sweep(now: number): Promise<void> {
    const values = [now - replicaClockMilliseconds];
    await this.#connections.ask({ text: 'DELETE FROM kms_replay WHERE until < $1', values });
    const [row] = await this.#connections.ask<{ readonly count: string }>({ text: 'SELECT count(*) FROM kms_replay' });
    this.#census.swept(Number(row?.count), now);
  }
}

interface TpkRow {
  readonly id: Uint8Array;
  readonly wrapped_key: Uint8Array;
  readonly created_at: string;
  readonly active_from: string;
}

async function listTpks(ask: Ask): Promise<readonly StoredTpk[]> {
  const rows = await ask<TpkRow>({ text: 'SELECT * FROM kms_tpk ORDER BY created_at, id' });
  return rows.map((row) => ({
    id: Uint8Array.from(row.id),
    wrappedKey: Uint8Array.from(row.wrapped_key),
    createdAt: Number(row.created_at),
    activeFrom: Number(row.active_from),
  }));
}

class PostgresTpks implements TpkStore {
  readonly #connections: PostgresConnections;

  constructor(connections: PostgresConnections) {
    this.#connections = connections;
  }

  list(): Promise<readonly StoredTpk[]> {
    return listTpks((query) => this.#connections.ask(query));
  }

  add({ id, wrappedKey, createdAt, activeFrom }: StoredTpk, newest: Uint8Array | undefined): Promise<boolean> {
    return this.#connections.transaction(async (ask) => {
      await ask({ text: 'LOCK TABLE kms_tpk IN SHARE ROW EXCLUSIVE MODE' });
      const last = (await listTpks(ask)).at(-1)?.id;
      const isExpected = last === undefined || newest === undefined ? last === newest : equalBytes(last, newest);
      if (!isExpected) return false;
      await ask({
        text: 'INSERT INTO kms_tpk (id, wrapped_key, created_at, active_from) VALUES ($1, $2, $3, $4)',
        values: [Buffer.from(id), Buffer.from(wrappedKey), createdAt, activeFrom],
      });
      return true;
    });
  }

  async remove(ids: readonly Uint8Array[]): Promise<void> {
    const values = [ids.map((id) => Buffer.from(id))];
    await this.#connections.ask({ text: 'DELETE FROM kms_tpk WHERE id = ANY ($1::bytea[])', values });
  }
}

interface AuditRow {
  readonly sequence: string;
  readonly text: string;
  readonly hash: Uint8Array;
}

const headOf = ({ sequence, hash }: Pick<AuditRow, 'sequence' | 'hash'>): AuditHead => ({
  sequence: Number(sequence),
  hash: Uint8Array.from(hash),
});

class PostgresAudit implements AuditStore {
  readonly #connections: PostgresConnections;
  readonly #queue: AuditQueue;

  constructor(connections: PostgresConnections) {
    this.#connections = connections;
    this.#queue = new AuditQueue((entries) => this.#write(entries));
  }

  append(entry: AuditEntry): Promise<AuditHead> {
    return this.#queue.append(entry);
  }

  async head(): Promise<AuditHead | undefined> {
    const text = 'SELECT sequence, hash FROM kms_audit_head WHERE sequence > 0';
    const [row] = await this.#connections.ask<AuditRow>({ text });
    return row && headOf(row);
  }

  async read(after: number, limit: number): Promise<readonly AuditLine[]> {
    const rows = await this.#connections.ask<AuditRow>({
      text: 'SELECT sequence, text, hash FROM kms_audit WHERE sequence > $1 ORDER BY sequence LIMIT $2',
      values: [after, limit],
    });
    return rows.map((row) => ({ ...headOf(row), text: row.text }));
  }

  idle(): Promise<void> {
    return this.#queue.idle();
  }

  /** The lock on the head puts the lines of all replicas in one order. */
  #write(entries: readonly AuditEntry[]): Promise<readonly AuditLine[]> {
    return this.#connections.transaction(async (ask) => {
      const select = 'SELECT sequence, hash FROM kms_audit_head FOR UPDATE';
      const [row] = await ask<AuditRow>({ name: 'audit-head', text: select });
      if (row === undefined) throw new KmsStorageError('the head of the audit is missing');
      const lines = chainLines(headOf(row), entries);
      const last = lines.at(-1) ?? headOf(row);
      await ask({
        name: 'audit-append',
        text: `WITH line AS (
            INSERT INTO kms_audit (sequence, text, hash) SELECT * FROM unnest($1::bigint[], $2::text[], $3::bytea[])
          )
          UPDATE kms_audit_head SET sequence = $4, hash = $5`,
        values: [
          lines.map(({ sequence }) => sequence),
          lines.map(({ text }) => text),
          lines.map(({ hash }) => Buffer.from(hash)),
          last.sequence,
          Buffer.from(last.hash),
        ],
      });
      return lines;
    });
  }
}

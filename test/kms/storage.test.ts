import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { createMemoryStorage } from '../../src/kms/memory-storage.ts';
import { loadSqliteBinding } from '../../src/kms/storage/sqlite/binding.ts';
import { sqliteMigrations } from '../../src/kms/storage/sqlite/migrations.ts';
import { openSqliteStorage } from '../../src/kms/storage/sqlite/sqlite-storage.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { describeStorage } from './support/storage-contract.ts';

const folder = temporaryFolder('kms-storage');
let files = 0;
const newPath = (): string => join(folder, `kms-${++files}.db`);

describe('storage in memory', () => {
  describeStorage((replayCapacity) => Promise.resolve({ storage: createMemoryStorage({ replayCapacity }) }));

  it('keeps no endless audit', async () => {
    const storage = createMemoryStorage({ auditCapacity: 10 });
    for (let index = 0; index < 100; index++) await storage.audit.append({ time: index, action: 'a', outcome: 'b' });
    const lines = await storage.audit.read(0, 1000);
    expect(lines.length).toBeLessThan(20);
    expect(lines.at(-1)?.sequence).toBe(100);
  });
});

describe('storage in SQLite', () => {
  describeStorage((replayCapacity) => {
    const path = newPath();
    const open = () => openSqliteStorage({ path, replayCapacity });
    return Promise.resolve({ storage: open(), another: () => Promise.resolve(open()) });
  });

  it('is still there after a restart, in a file that only its owner can read', async () => {
    const path = newPath();
    const first = openSqliteStorage({ path, replayCapacity: 10 });
    const digest = new Uint8Array(32);
    await first.replays.remember(digest, 2000, 1000);
    await first.audit.append({ time: 0, action: 'a', outcome: 'b' });
    await first.close();
    if (process.platform !== 'win32') expect(statSync(path).mode & 0o777).toBe(0o600);
    const second = openSqliteStorage({ path, replayCapacity: 10 });
    expect(await second.replays.remember(digest, 2000, 1500)).toBe('replayed');
    expect(await second.audit.head()).toMatchObject({ sequence: 1 });
    await second.close();
    await expect(second.users.list()).rejects.toMatchObject({ name: 'KmsStorageError' });
    await expect(second.audit.append({ time: 0, action: 'a', outcome: 'b' })).rejects.toMatchObject({
      name: 'KmsStorageError',
    });
  });

  it('deletes what has passed its time, and counts what another process added', async () => {
    const path = newPath();
    const [one, two] = [1, 2].map(() => openSqliteStorage({ path, replayCapacity: 3 }));
    const binding = loadSqliteBinding();
    const database = new binding(path, { timeout: 1000 });
    const rows = () => database.prepare<[], number>('SELECT count(*) FROM kms_replay').pluck().get();
    const key = (index: number) => new Uint8Array(32).fill(index);
    for (const index of [1, 2, 3]) expect(await one!.replays.remember(key(index), 1000, 0)).toBe('new');
    expect(await two!.replays.remember(key(4), 1000, 0)).toBe('full');
    expect(rows()).toBe(3);
    expect(await two!.replays.remember(key(5), 999_000, 361_000)).toBe('new');
    expect(rows()).toBe(1);
    // A clock that was set back counts anew and refuses nothing.
    expect(await two!.replays.remember(key(6), 999_000, 500)).toBe('new');
    database.close();
    await one!.close();
    await two!.close();
  });

  it.each([
    ['that a newer program made', (path: string) => setVersion(path, 1000), /schema 1000; this program knows/],
    ['that is none', (path: string) => writeFileSync(path, 'not a database'.repeat(100)), /cannot open/],
    ['in a folder that is not there', () => undefined, /ENOENT/, join(folder, 'none', 'kms.db')],
  ])('refuses a file %s', (_, prepare, problem, path = newPath()) => {
    prepare(path);
    expect(() => openSqliteStorage({ path, replayCapacity: 10 })).toThrow(problem);
    expect(existsSync(`${path}-wal`)).toBe(false);
  });

  it('says so where SQLite cannot be loaded', () => {
    const load = () => {
      throw new Error('wrong ELF class\nRequire stack: ...');
    };
    expect(() => openSqliteStorage({ path: newPath(), replayCapacity: 10, load })).toThrow(
      'SQLite cannot be loaded on this machine (wrong ELF class); PostgreSQL can be used instead',
    );
  });

  it('says so when the head of the audit is gone', async () => {
    const path = newPath();
    const storage = openSqliteStorage({ path, replayCapacity: 10 });
    execute(path, 'DELETE FROM kms_audit_head');
    await expect(storage.audit.append({ time: 0, action: 'a', outcome: 'b' })).rejects.toThrow(/head of the audit/);
    expect(await storage.audit.head()).toBeUndefined();
    await storage.close();
  });

  it('numbers its migrations upwards', () => {
    expect(sqliteMigrations.map(({ number }) => number)).toEqual(sqliteMigrations.map((_, index) => index + 1));
  });
});

function execute(path: string, sql: string): void {
  const database = new (loadSqliteBinding())(path, { timeout: 1000 });
  database.exec(sql);
  database.close();
}

const setVersion = (path: string, version: number): void => execute(path, `PRAGMA user_version = ${version}`);

import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Store } from '../../../src/engine/store/index.ts';
import { loadSqlite, type SqliteDatabase } from '../../../src/node/sqlite/binding.ts';
import { openStore } from '../../../src/node/store/open-store.ts';
import { openSqliteFile } from '../../../src/node/store/sqlite-file.ts';
import { createSqliteStore } from '../../../src/node/store/sqlite-store.ts';
import { chatMessage } from '../../engine/store/stored-message.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { testKey } from './support/store-files.ts';

let folder: string;
let path: string;
let database: SqliteDatabase;
let store: Store;
let logged: unknown[];

beforeEach(() => {
  folder = temporaryFolder('store-limits');
  path = join(folder, 'messages.db');
  database = openSqliteFile(loadSqlite(), path, testKey());
  logged = [];
  store = createSqliteStore(database, path, { log: (_level, event, fields) => logged.push([event, fields?.['code']]) });
});
afterEach(() => store.close());

/** Adds until the store has no room, each time waiting until it is durable. @returns what was reported durable, and the failure */
async function addUntilRefused(): Promise<{ readonly durable: readonly string[]; readonly error: unknown }> {
  const durable: string[] = [];
  for (let index = 0; index < 10_000; index++) {
    try {
      store.account('a').messages.add(chatMessage(`m${index}`, { text: 'x'.repeat(3_000) }));
      await store.durable();
      durable.push(`m${index}`);
    } catch (error) {
      return { durable, error };
    }
  }
  return { durable, error: undefined };
}

async function idsAfterReopening(): Promise<readonly string[]> {
  await store.close();
  database = openSqliteFile(loadSqlite(), path, testKey());
  store = createSqliteStore(database, path);
  return [...store.account('a').messages.all()].map(({ id }) => id);
}

describe('A store without room', () => {
  it('says so, keeps what it reported durable, and goes on when there is room', async () => {
    database.pragma('max_page_count = 80');
    const { durable, error } = await addUntilRefused();
    expect(error).toMatchObject({ name: 'StoreError', code: 'full' });
    expect(logged).toContainEqual(['store.failed', 'full']);
    expect(durable.length).toBeGreaterThan(5);
    expect(store.account('a').messages.count()).toBeGreaterThanOrEqual(durable.length);
    database.pragma('max_page_count = 10000');
    store.account('a').messages.add(chatMessage('later'));
    await store.durable();
    const ids = await idsAfterReopening();
    expect(ids.filter((id) => durable.includes(id))).toEqual(durable);
    expect(ids.at(-1)).toBe('later');
  });

  it('takes a transaction back whole', () => {
    const { messages } = store.account('a');
    messages.add(chatMessage('before'));
    database.pragma('max_page_count = 60');
    const work = () => {
      for (let index = 0; index < 1_000; index++) messages.add(chatMessage(`m${index}`, { text: 'x'.repeat(3_000) }));
    };
    expect(() => store.transaction(work)).toThrow(expect.objectContaining({ code: 'full' }));
    expect(messages.get('m0')).toBeUndefined();
  });
});

describe('A store that can only be read', () => {
  it('says so at the write, and can still be read', async () => {
    store.account('a').messages.add(chatMessage('m1'));
    await store.durable();
    database.pragma('query_only = ON');
    expect(() => store.account('a').messages.add(chatMessage('m2'))).toThrow(
      expect.objectContaining({ name: 'StoreError', code: 'read-only' }),
    );
    expect(store.account('a').messages.get('m1')?.id).toBe('m1');
    database.pragma('query_only = OFF');
    store.account('a').messages.add(chatMessage('m3'));
    await store.durable();
    expect(await idsAfterReopening()).toEqual(['m1', 'm3']);
  });
});

describe('A store in use', () => {
  it('is refused to a second opener, and free when it is closed', async () => {
    const second = () => openStore({ folder, key: testKey() });
    // The key file is written at the first opening through the front door.
    await store.close();
    const first = await second();
    await expect(second()).rejects.toMatchObject({ name: 'StoreError', code: 'in-use' });
    first.store.account('a').messages.add(chatMessage('m1'));
    await first.store.close();
    const third = await second();
    expect(third.store.account('a').messages.count()).toBe(1);
    await third.store.close();
  });

  it('is refused after it was closed', async () => {
    await store.close();
    await store.close();
    expect(() => store.account('a').messages.add(chatMessage('m1'))).toThrow();
  });
});

describe('Durability', () => {
  it('of all that was written in one turn is one wait', async () => {
    let commits = 0;
    const counted: SqliteDatabase = {
      get inTransaction() {
        return database.inTransaction;
      },
      prepare(sql: string) {
        const statement = database.prepare(sql);
        if (sql !== 'COMMIT') return statement as never;
        return { run: () => (commits++, statement.run()) } as never;
      },
      transaction: (action) => database.transaction(action),
      exec: (sql) => database.exec(sql),
      pragma: (text, options) => database.pragma(text, options),
      close: () => database.close(),
    };
    const counting = createSqliteStore(counted, path);
    const waits = Array.from({ length: 50 }, (_, index) => {
      counting.account('a').messages.add(chatMessage(`m${index}`));
      return counting.durable();
    });
    await Promise.all(waits);
    expect(commits).toBe(1);
    await counting.durable();
    expect(commits).toBe(1);
  });
});

import {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/base/clock.ts';
import { StoreError, type Store } from '../../../src/engine/store/index.ts';
import { loadSqlite } from '../../../src/node/sqlite/binding.ts';
import { openStore } from '../../../src/node/store/open-store.ts';
import { openSqliteFile } from '../../../src/node/store/sqlite-file.ts';
import { createSqliteStore } from '../../../src/node/store/sqlite-store.ts';
import { chatMessage } from '../../engine/store/stored-message.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { snapshotOf, testKey } from './support/store-files.ts';

const pageOctets = 4_096;
const clock = new FakeClock(Date.UTC(2026, 2, 4, 5, 6, 7));
const asideName = 'messages.damaged-2026-03-04T05-06-07Z.db';
const longText = 'lorem ipsum '.repeat(200);

function fill(store: Store): void {
  store.transaction(() => {
    for (let index = 0; index < 60; index++) {
      store.account('a').messages.add(chatMessage(`m${index}`, { text: `${index} ${longText}` }));
    }
  });
}

async function filled(): Promise<string> {
  const folder = temporaryFolder('store-damage');
  const { store } = await openStore({ folder, key: testKey() });
  fill(store);
  await store.close();
  return folder;
}

function flipOctet(path: string, offset: number): void {
  const octet = readFileSync(path)[offset] ?? 0;
  const file = openSync(path, 'r+');
  writeSync(file, Uint8Array.of(octet ^ 1), 0, 1, offset);
  closeSync(file);
}

const damages: readonly (readonly [name: string, damage: (path: string) => void])[] = [
  ['other octets altogether', (path) => writeFileSync(path, 'this is no database\n'.repeat(500))],
  ['a beginning that is gone', (path) => writeFileSync(path, readFileSync(path).subarray(100))],
  ['an end that is gone', (path) => truncateSync(path, Math.floor(statSync(path).size / 2 / pageOctets) * pageOctets)],
  ['an end in the middle of a page', (path) => truncateSync(path, statSync(path).size - 1_000)],
  ['one octet of the salt changed', (path) => flipOctet(path, 3)],
  ['one octet of the first page changed', (path) => flipOctet(path, 500)],
  ['one octet of a page in the middle changed', (path) => flipOctet(path, Math.floor(statSync(path).size / 2) + 77)],
  ['one octet of the last page changed', (path) => flipOctet(path, statSync(path).size - 2_000)],
  ['a page that stands where another belongs', (path) => writeFileSync(path, swapped(readFileSync(path)))],
];

function swapped(octets: Buffer): Buffer {
  const [five, six] = [5, 6].map((page) => Buffer.from(octets.subarray(page * pageOctets, (page + 1) * pageOctets)));
  six?.copy(octets, 5 * pageOctets);
  five?.copy(octets, 6 * pageOctets);
  return octets;
}

describe('A damaged store', () => {
  it.each(damages)('with %s is set aside as it is, and said', async (_name, damage) => {
    const folder = await filled();
    const path = join(folder, 'messages.db');
    damage(path);
    const damaged = readFileSync(path);
    const { store, notice } = await openStore({ folder, key: testKey(), clock });
    expect(notice).toEqual({ kind: 'damaged-set-aside', path: join(folder, asideName) });
    expect(readFileSync(join(folder, asideName)).equals(damaged)).toBe(true);
    expect(store.account('a').messages.count()).toBe(0);
    fill(store);
    await store.close();
    const again = await openStore({ folder, key: testKey(), clock });
    expect(again.notice).toBeUndefined();
    expect(again.store.account('a').messages.count()).toBe(60);
    await again.store.close();
  });

  it.each([
    ['empty', (path: string) => truncateSync(path, 0)],
    ['gone', (path: string) => rmSync(path)],
  ])('that is %s is not taken for a new one in silence', async (_name, damage) => {
    const folder = await filled();
    damage(join(folder, 'messages.db'));
    const { store, notice } = await openStore({ folder, key: testKey(), clock });
    expect(notice).toEqual({ kind: 'missing', path: join(folder, 'messages.db') });
    fill(store);
    await store.close();
    const again = await openStore({ folder, key: testKey(), clock });
    expect(again.notice).toBeUndefined();
    expect(again.store.account('a').messages.count()).toBe(60);
    await again.store.close();
  });

  it('never takes the name of one that was set aside before', async () => {
    const folder = await filled();
    const path = join(folder, 'messages.db');
    for (const expected of [asideName, asideName.replace('.db', '-2.db')]) {
      writeFileSync(path, 'no database'.repeat(1_000));
      const { store, notice } = await openStore({ folder, key: testKey(), clock });
      expect(notice?.path).toBe(join(folder, expected));
      await store.close();
    }
  });

  it('is left where it is under a wrong key', async () => {
    const folder = await filled();
    writeFileSync(join(folder, 'messages.db'), 'no database'.repeat(1_000));
    const before = snapshotOf(folder);
    await expect(openStore({ folder, key: testKey(8), clock })).rejects.toMatchObject({ code: 'wrong-key' });
    expect(snapshotOf(folder)).toEqual(before);
  });

  it('that is met while it is in use is an error of the store, and read whole at the next start', async () => {
    const folder = await filled();
    const path = join(folder, 'messages.db');
    const database = openSqliteFile(loadSqlite(), path, testKey());
    database.pragma('cache_size = 1');
    const store = createSqliteStore(database, path);
    for (let offset = 10 * pageOctets + 9; offset < statSync(path).size; offset += pageOctets) flipOctet(path, offset);
    const failure = (() => {
      try {
        return [...store.account('a').messages.all()];
      } catch (error) {
        return error;
      }
    })();
    expect(failure).toBeInstanceOf(StoreError);
    expect(failure).toMatchObject({ code: 'damaged' });
    expect(String(failure)).not.toContain('lorem');
    expect(existsSync(`${path}.suspect`)).toBe(true);
    await store.close();
    const { store: fresh, notice } = await openStore({ folder, key: testKey(), clock });
    expect(notice?.kind).toBe('damaged-set-aside');
    expect(existsSync(`${path}.suspect`)).toBe(false);
    await fresh.close();
  });
});

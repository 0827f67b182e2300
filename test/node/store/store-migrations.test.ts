import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadSqlite, type SqliteDatabase } from '../../../src/node/sqlite/binding.ts';
import { openStore } from '../../../src/node/store/open-store.ts';
import { openSqliteFile } from '../../../src/node/store/sqlite-file.ts';
import { storeMigrations } from '../../../src/node/store/store-migrations.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { snapshotOf, testKey } from './support/store-files.ts';

const newest = storeMigrations.length;
const detail = '{"from":"sip:bob@example.org","to":"sip:alice@example.org","way":"message","level":"e2e"}';

/** What a program of each version would have written, in its own words. */
const written: Readonly<Record<number, string>> = {
  1: `
    INSERT INTO account (id, name) VALUES (1, 'sip:alice@example.org');
    INSERT INTO conversation (id, account, peer) VALUES (1, 1, 'sip:bob@example.org'), (2, 1, 'sip:carol@example.org');
    INSERT INTO message (account, conversation, id, incoming, state, at, message_id, text, detail) VALUES
      (1, 1, 'm1', 1, 'received', 10, 'imdn-1', 'Grüße aus Köln', '${detail}'),
      (1, 2, 'c1', 1, 'received', 20, NULL, 'from carol', '${detail}'),
      (1, 1, 'm2', 0, 'accepted', 30, 'm2', 'an answer', '${detail}'),
      (1, 1, 'm3', 0, 'refused', 40, NULL, '', '${detail}');
    UPDATE conversation SET read_through = newest, unread = 0 WHERE id = 2;
    INSERT INTO outbox VALUES (1, 'm2', 'sip:bob@example.org', 3, '{"id":"m2","peer":"sip:bob@example.org","sequence":3}');
    UPDATE account SET highest_sequence = 5;
    INSERT INTO seen (account, key, until) VALUES (1, x'6b6579', 1000);
    INSERT INTO note VALUES (1, 'policy', 'sip:bob@example.org', '"require-e2e"'), (0, 'setting', 'theme', '{"dark":true}');`,
  2: '',
  3: `INSERT INTO sealed VALUES (1, 'm1', 'multipart/mixed', x'00ff', 'sip:bob@example.org', 10, 99);`,
  4: '',
};

function make(path: string, version: number, more?: (database: SqliteDatabase) => void): void {
  const database = openSqliteFile(loadSqlite(), path, testKey(), version);
  for (let step = 1; step <= version; step++) database.exec(written[step] ?? '');
  more?.(database);
  database.close();
}

describe('A store of an earlier version', () => {
  it.each(storeMigrations.map(({ number }) => number))('%i is read with all that is in it', async (version) => {
    const folder = temporaryFolder('store-version');
    make(join(folder, 'messages.db'), version);
    const { store } = await openStore({ folder, key: testKey() });
    const account = store.account('sip:alice@example.org');
    expect([...account.messages.all()].map(({ id, text, at }) => [id, text, at])).toEqual([
      ['m1', 'Grüße aus Köln', 10],
      ['c1', 'from carol', 20],
      ['m2', 'an answer', 30],
      ['m3', '', 40],
    ]);
    expect(account.messages.find('sip:bob@example.org', 'in', 'imdn-1')).toEqual({
      ...(JSON.parse(detail) as object),
      id: 'm1',
      conversation: 'sip:bob@example.org',
      direction: 'in',
      state: 'received',
      at: 10,
      messageId: 'imdn-1',
      text: 'Grüße aus Köln',
    });
    expect(account.messages.conversations().map(({ peer, unread }) => [peer, unread])).toEqual([
      ['sip:bob@example.org', 1],
      ['sip:carol@example.org', 0],
    ]);
    expect(account.messages.count()).toBe(4);
    expect(store.search({ text: 'koln gruße', limit: 10 }).hits.map(({ message }) => message.id)).toEqual(['m1']);
    expect(store.search({ text: 'an', peer: 'sip:bob@example.org', limit: 10 }).hits).toHaveLength(1);
    expect(account.outbox.list().map(({ id }) => id)).toEqual(['m2']);
    expect(account.outbox.nextSequence()).toBe(6);
    expect(account.seen.has(new TextEncoder().encode('key'), 10)).toBe(true);
    expect(account.notes.get('policy', 'sip:bob@example.org')).toBe('require-e2e');
    expect(store.notes.get('setting', 'theme')).toEqual({ dark: true });
    expect(account.sealed.list().map(({ id }) => id)).toEqual(version < 3 ? [] : ['m1']);
    account.sealed.put({ id: 'm9', contentType: 'a/b', body: Uint8Array.of(1), asserted: 'x', receivedAt: 5 });
    account.messages.remove('m1');
    expect(store.search({ text: 'koln', limit: 10 }).hits).toEqual([]);
    await store.close();
    const again = await openStore({ folder, key: testKey() });
    expect(again.store.account('sip:alice@example.org').sealed.get('m9')?.body).toEqual(Uint8Array.of(1));
    expect(again.store.account('sip:alice@example.org').messages.count()).toBe(3);
    await again.store.close();
  });

  it('has data of each version to test with, and numbers without gaps', () => {
    expect(Object.keys(written).map(Number)).toEqual(storeMigrations.map(({ number }) => number));
    expect(storeMigrations.map(({ number }) => number)).toEqual(
      Array.from({ length: newest }, (_, index) => index + 1),
    );
  });
});

describe('A store of a later version', () => {
  it('is refused and left as it is', async () => {
    const folder = temporaryFolder('store-newer');
    const path = join(folder, 'messages.db');
    make(path, newest);
    await (await openStore({ folder, key: testKey() })).store.close();
    make(path, 0, (database) => database.pragma(`user_version = ${newest + 1}`));
    const before = snapshotOf(folder);
    await expect(openStore({ folder, key: testKey() })).rejects.toMatchObject({ name: 'StoreError', code: 'newer' });
    expect(snapshotOf(folder)).toEqual(before);
  });
});

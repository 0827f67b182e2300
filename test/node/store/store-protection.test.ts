import { statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openStore } from '../../../src/node/store/open-store.ts';
import { chatMessage } from '../../engine/store/stored-message.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { decipheredOctets, octetsIn, testKey } from './support/store-files.ts';

const open = async (folder: string) => (await openStore({ folder, key: testKey() })).store;

/** One in each place where a word may stand. */
const secrets = ['zebrafish', 'quagga', 'okapi', 'sip:narwhal@example.org', 'axolotl', 'pangolin', 'numbat'];

async function fill(folder: string) {
  const store = await open(folder);
  const account = store.account('sip:narwhal@example.org');
  account.messages.add(chatMessage('m1', { text: 'zebrafish and more', subject: 'quagga' }));
  account.messages.add(chatMessage('m2', { text: 'something else', conversation: 'sip:okapi@example.org' }));
  account.notes.set('kind', 'axolotl', 'pangolin');
  account.seen.add(new TextEncoder().encode('numbat'), 10, 1, 'sip:numbat@example.org');
  await store.durable();
  return { store, account };
}

const holds = (octets: Buffer, word: string) => octets.includes(word) || octets.includes(Buffer.from(word, 'utf16le'));

describe('The file of a store', () => {
  it('shows nothing of what it keeps, while it is open and afterwards', async () => {
    const folder = temporaryFolder('store-plain');
    const { store } = await fill(folder);
    const open = octetsIn(folder);
    expect(open.length).toBeGreaterThan(4_096);
    expect(secrets.filter((word) => holds(open, word))).toEqual([]);
    await store.close();
    const closed = octetsIn(folder);
    expect(secrets.filter((word) => holds(closed, word))).toEqual([]);
    expect(holds(closed, 'SQLite format 3')).toBe(false);
    // The search above would find them: without the encryption they are there.
    const plain = decipheredOctets(join(folder, 'messages.db'), testKey());
    expect(secrets.filter((word) => !holds(plain, word))).toEqual([]);
  });

  it('can be read and written by its owner only', async () => {
    const folder = join(temporaryFolder('store-mode'), 'new');
    const { store } = await fill(folder);
    const modes = ['', 'messages.db', 'messages.db-wal', 'messages.key'].map(
      (name) => statSync(join(folder, name)).mode & 0o777,
    );
    if (process.platform !== 'win32') expect(modes).toEqual([0o700, 0o600, 0o600, 0o600]);
    await store.close();
  });

  it.each([
    ['removed', (account: Filled) => void account.messages.remove('m1')],
    ['changed to another text', (account: Filled) => void account.messages.change('m1', { text: 'dropped' })],
    [
      'in a conversation that is removed',
      (account: Filled) => void account.messages.removeConversation('sip:bob@example.org'),
    ],
    ['removed for its age', (account: Filled) => void account.messages.removeOlderThan(2_000)],
  ])('keeps no trace of a message that was %s: not in the log, the pages or the index', async (_how, remove) => {
    const folder = temporaryFolder('store-removed');
    const { store, account } = await fill(folder);
    remove(account);
    await store.durable();
    expect(statSync(join(folder, 'messages.db-wal')).size).toBe(0);
    await store.close();
    const plain = decipheredOctets(join(folder, 'messages.db'), testKey());
    expect(holds(plain, 'zebrafish')).toBe(false);
    expect(holds(plain, 'axolotl')).toBe(true);
  });

  it('keeps no trace of a removed account', async () => {
    const folder = temporaryFolder('store-account');
    const { store } = await fill(folder);
    store.account('sip:other@example.org').messages.add(chatMessage('m1', { text: 'capybara' }));
    store.removeAccount('sip:narwhal@example.org');
    await store.durable();
    expect(statSync(join(folder, 'messages.db-wal')).size).toBe(0);
    await store.close();
    const plain = decipheredOctets(join(folder, 'messages.db'), testKey());
    expect(secrets.filter((word) => holds(plain, word))).toEqual([]);
    expect(holds(plain, 'capybara')).toBe(true);
  });

  it('says how large it is', async () => {
    const { store } = await fill(temporaryFolder('store-size'));
    const { keeping } = store;
    expect(keeping.kept).toBe('encrypted');
    expect(keeping.kept === 'encrypted' && keeping.octets).toBeGreaterThan(50_000);
    await store.close();
  });
});

type Filled = Awaited<ReturnType<typeof fill>>['account'];

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../src/base/log.ts';
import { Keychain, type Keytar } from '../../electron/keychain.ts';
import { openMessages } from '../../electron/message-store.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** A keychain that keeps what is put into it. */
function keytar(): () => Promise<Keytar> {
  const kept = new Map<string, string>();
  return () =>
    Promise.resolve({
      getPassword: (_service, account) => Promise.resolve(kept.get(account) ?? null),
      setPassword: (_service, account, password) => Promise.resolve(void kept.set(account, password)),
      deletePassword: (_service, account) => Promise.resolve(kept.delete(account)),
      findCredentials: () => Promise.resolve([]),
    });
}

const open = (folder: string, load: () => Promise<Keytar>) => openMessages(folder, new Keychain(load), silentLogger);

describe('The messages of the desktop app', () => {
  it('are kept encrypted under a key in the keychain', async () => {
    const folder = temporaryFolder('desktop-messages');
    const load = keytar();
    const first = await open(folder, load);
    expect([first.store.keeping.kept, first.problems]).toEqual(['encrypted', []]);
    first.store.notes.set('kind', 'key', 'value');
    await first.store.close();
    const second = await open(folder, load);
    expect(second.store.notes.get('kind', 'key')).toBe('value');
    await second.store.close();
  });

  it('stay in memory without a keychain, with the reason', async () => {
    const load = () => Promise.reject(new Error('no keychain runs'));
    const { store, problems } = await open(temporaryFolder('desktop-messages'), load);
    expect(store.keeping).toMatchObject({
      kept: 'memory',
      reason: expect.stringContaining('no keychain runs') as string,
    });
    // The shell tells of its keychain itself.
    expect(problems).toEqual([]);
  });

  it('that are damaged are set aside, and the user is told where', async () => {
    const folder = temporaryFolder('desktop-messages');
    const load = keytar();
    await (await open(folder, load)).store.close();
    writeFileSync(join(folder, 'messages', 'messages.db'), 'no database'.repeat(1_000));
    const { store, problems } = await open(folder, load);
    expect(store.keeping.kept).toBe('encrypted');
    expect(problems).toHaveLength(1);
    const [, path = ''] = /set aside as (\S+),/.exec(problems[0] ?? '') ?? [];
    expect(readFileSync(path, 'utf8')).toContain('no database');
    await store.close();
  });

  it('whose key is lost are left as they are, and said', async () => {
    const folder = temporaryFolder('desktop-messages');
    await (await open(folder, keytar())).store.close();
    const before = readFileSync(join(folder, 'messages', 'messages.db'));
    const { store, problems } = await open(folder, keytar());
    expect(store.keeping.kept).toBe('memory');
    expect(problems[0]).toMatch(/^Your messages cannot be opened: .*They are left as they are/);
    expect(readFileSync(join(folder, 'messages', 'messages.db')).equals(before)).toBe(true);
  });
});

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../src/base/log.ts';
import type { StorageView } from '../../src/contract/index.ts';
import type { Store } from '../../src/engine/store/index.ts';
import { Keychain } from '../../electron/keychain.ts';
import { gateMessages } from '../../electron/message-store.ts';
import { ScriptedHost } from '../support/scripted-host.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import type { Keytar } from '../../src/node/keychain/load-keytar.ts';

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

interface Begun {
  readonly view: StorageView;
  readonly host: ReturnType<typeof gateMessages>['host'];
  /** Undefined until the messages are open. */
  readonly store: () => Store | undefined;
}

async function begin(dataFolder: string, load: () => Promise<Keytar>): Promise<Begun> {
  let opened: Store | undefined;
  const gate = gateMessages({
    dataFolder,
    secrets: new Keychain(load),
    log: silentLogger,
    start({ store }, view) {
      opened = store;
      const host = new ScriptedHost();
      host.storage = view();
      return Promise.resolve(host);
    },
  });
  await gate.begin();
  return { view: gate.host.snapshot().storage, host: gate.host, store: () => opened };
}

const none = () => Promise.reject(new Error('no keychain runs'));
const words = 'correct horse battery';

describe('The messages of the desktop app', () => {
  it('are kept encrypted under a key in the keychain', async () => {
    const folder = temporaryFolder('desktop-messages');
    const load = keytar();
    const first = await begin(folder, load);
    expect(first.view).toMatchObject({ state: 'encrypted', passphrase: false });
    first.store()?.notes.set('kind', 'key', 'value');
    await first.store()?.close();
    const second = await begin(folder, load);
    expect(second.store()?.notes.get('kind', 'key')).toBe('value');
    await second.store()?.close();
  });

  it('that are damaged are set aside, and the user is told where', async () => {
    const folder = temporaryFolder('desktop-messages');
    const load = keytar();
    await (await begin(folder, load)).store()?.close();
    writeFileSync(join(folder, 'messages', 'messages.db'), 'no database'.repeat(1_000));
    const { view, store } = await begin(folder, load);
    expect(view.state).toBe('encrypted');
    expect(readFileSync(view.damagedFile ?? '', 'utf8')).toContain('no database');
    await store()?.close();
  });

  it('whose key is lost are left as they are until the user goes on without them', async () => {
    const folder = temporaryFolder('desktop-messages');
    await (await begin(folder, keytar())).store()?.close();
    const before = readFileSync(join(folder, 'messages', 'messages.db'));
    const { view, host, store } = await begin(folder, keytar());
    expect([view.state, store()]).toEqual(['unusable', undefined]);
    expect(view.reason).toMatch(/^The key of the kept messages is not at hand/);
    await host.skipStorage({});
    expect(host.snapshot().storage.state).toBe('memory');
    expect(readFileSync(join(folder, 'messages', 'messages.db')).equals(before)).toBe(true);
  });

  it('are kept under a passphrase where no keychain runs, which is asked for again and can be changed', async () => {
    const folder = temporaryFolder('desktop-messages');
    const first = await begin(folder, none);
    expect([first.view.state, first.store()]).toEqual(['undecided', undefined]);
    expect(await first.host.setStoragePassphrase({ passphrase: words })).toEqual({ outcome: 'done' });
    expect(first.host.snapshot().storage).toMatchObject({ state: 'encrypted', passphrase: true });
    first.store()?.notes.set('kind', 'key', 'value');
    expect(await first.host.changeStoragePassphrase({ old: 'not it at all', fresh: 'another one' })).toEqual({
      outcome: 'wrong-passphrase',
    });
    expect(await first.host.changeStoragePassphrase({ old: words, fresh: 'another one' })).toEqual({ outcome: 'done' });
    await first.store()?.close();

    const file = join(folder, 'messages', 'messages.db');
    const before = readFileSync(file);
    const second = await begin(folder, none);
    expect(second.view).toEqual({ state: 'locked' });
    expect(() => second.host.register({ accountId: 'alice' })).toThrow('not open yet');
    expect(await second.host.unlockStorage({ passphrase: words })).toEqual({ outcome: 'wrong-passphrase' });
    expect([second.store(), readFileSync(file).equals(before)]).toEqual([undefined, true]);
    expect(await second.host.unlockStorage({ passphrase: 'another one' })).toEqual({ outcome: 'done' });
    expect(second.store()?.notes.get('kind', 'key')).toBe('value');
    await second.store()?.close();
  });

  it('stay in memory where no keychain runs and the user wants no passphrase', async () => {
    const { host, store } = await begin(temporaryFolder('desktop-messages'), none);
    await host.skipStorage({});
    expect(store()?.keeping.kept).toBe('memory');
  });
});

import { expect, test } from 'vitest';
import type { MessageWay } from '../../../src/engine/chat-message.ts';
import { openStore } from '../../../src/node/store/index.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { World } from '../../engine/support/world.ts';
import { testKey } from './support/store-files.ts';

const bobUri = 'sip:bob@lab.test';

test.each<MessageWay>(['message', 'msrp'])(
  'a message written without a network is on the disk, and goes out after a restart (%s)',
  async (way) => {
    const folder = temporaryFolder('outbox');
    const world = new World();
    const bob = await world.user('bob');
    const first = await openStore({ folder, key: testKey() });
    let alice = await world.user('alice', { store: first.store, isOffline: true });
    for (const text of ['one', 'two']) {
      const outcome = await alice.account.sendMessage({ to: bobUri, text, way, policy: 'require-e2e' });
      expect(outcome).toMatchObject({ outcome: 'waiting', message: { state: 'queued' } });
    }
    await alice.account.stop();
    await first.store.close();

    const second = await openStore({ folder, key: testKey() });
    alice = await world.user('alice', { store: second.store, isOffline: true });
    expect(alice.account.outbox.list().map(({ message }) => message.text)).toEqual(['one', 'two']);
    const settled = new Promise<void>((resolve) =>
      alice.account.events.on('messageState', ({ text, state }) => {
        if (text === 'two' && (state === 'accepted' || state === 'delivered')) resolve();
      }),
    );
    const arrived = new Promise<void>((resolve) =>
      bob.account.events.on('messageReceived', ({ text }) => text === 'two' && resolve()),
    );
    await alice.account.register();
    await Promise.all([settled, arrived]);
    expect(bob.received).toMatchObject([
      { text: 'one', level: 'e2e' },
      { text: 'two', level: 'e2e' },
    ]);
    await alice.account.stop();
    await second.store.close();

    const third = await openStore({ folder, key: testKey() });
    alice = await world.user('alice', { store: third.store, isOffline: true });
    expect(alice.account.outbox.list()).toEqual([]);
    const { messages } = alice.account.history.page(bobUri);
    expect(messages.map(({ state }) => state)).not.toContain('queued');
    await alice.account.stop();
    await bob.account.stop();
    await third.store.close();
  },
  60_000,
);

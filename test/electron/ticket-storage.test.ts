import { expect, it } from 'vitest';
import { toHex } from '../../src/base/bytes.ts';
import type { SecretBytes } from '../../src/base/secret-bytes.ts';
import type { SecretStore, SecretStoreHealth, TicketStorage } from '../../src/engine/ports.ts';
import { ticketStorage } from '../../electron/ticket-storage.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

function keychain(health: SecretStoreHealth = { usable: true }) {
  const kept = new Map<string, SecretBytes>();
  const store: SecretStore = {
    get: (name) => Promise.resolve(kept.get(name)),
    set: (name, secret) => Promise.resolve(void kept.set(name, secret)),
    delete: (name) => Promise.resolve(void kept.delete(name)),
    list: () => Promise.resolve([...kept.keys()]),
    health: () => Promise.resolve(health),
  };
  return { store, kept };
}

const keyOf = (storage: TicketStorage): string =>
  storage.kept === 'sealed' && storage.key.kind === 'key' ? storage.key.key.use(toHex) : '';

it('makes a key for each account in the keychain, and finds it again', async () => {
  const folder = temporaryFolder('tickets');
  const { store, kept } = keychain();
  const alice = keyOf(await ticketStorage(folder, 'sip:alice@lab.test', store));
  const bob = keyOf(await ticketStorage(folder, 'sip:bob@lab.test', store));
  expect(alice).toMatch(/^[0-9a-f]{64}$/);
  expect(bob).not.toBe(alice);
  expect(keyOf(await ticketStorage(folder, 'sip:alice@lab.test', store))).toBe(alice);
  expect([...kept.keys()]).toEqual(['sip:alice@lab.test ticket-cache-key', 'sip:bob@lab.test ticket-cache-key']);
});

it('keeps tickets in memory, with the reason, where there is no keychain', async () => {
  const { store } = keychain({ usable: false, reason: 'no service runs' });
  expect(await ticketStorage(temporaryFolder('tickets'), 'sip:alice@lab.test', store)).toEqual({
    kept: 'memory',
    reason: 'The keychain of this system cannot be used (no service runs)',
  });
});

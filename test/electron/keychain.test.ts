import { describe, expect, it } from 'vitest';
import { Keychain } from '../../electron/keychain.ts';
import { fromUtf8, utf8 } from '../../src/base/bytes.ts';
import { SecretBytes } from '../../src/base/secret-bytes.ts';
import type { Keytar } from '../../src/node/keychain/load-keytar.ts';

function fakeKeytar() {
  const entries = new Map<string, string>();
  const state = { isLocked: false };
  const check = () => {
    if (state.isLocked) throw new Error('the keyring is locked');
  };
  const keytar: Keytar = {
    getPassword: async (_service, account) => (check(), entries.get(account) ?? null),
    setPassword: async (_service, account, password) => (check(), void entries.set(account, password)),
    deletePassword: async (_service, account) => (check(), entries.delete(account)),
    findCredentials: async () => (check(), [...entries].map(([account, password]) => ({ account, password }))),
  };
  return { keytar, entries, state };
}

const secret = () => new SecretBytes(utf8('hunter2'));
const text = (found: SecretBytes | undefined) => found?.use((bytes) => fromUtf8(bytes));
const octets = new SecretBytes(Uint8Array.from([0, 255, 128]));

describe('keychain', () => {
  it('keeps any octets in the keychain of the system and leaves no probe behind', async () => {
    const { keytar, entries } = fakeKeytar();
    const keychain = new Keychain(async () => keytar);
    await keychain.set('alice password', secret());
    await keychain.set('alice key', octets);
    const fresh = new Keychain(async () => keytar);
    expect(text(await fresh.get('alice password'))).toBe('hunter2');
    expect((await fresh.get('alice key'))?.use((bytes) => [...bytes])).toEqual([0, 255, 128]);
    expect(await fresh.list()).toEqual(['alice password', 'alice key']);
    expect([...entries.keys()]).toEqual(['alice password', 'alice key']);
    expect(await fresh.health()).toEqual({ usable: true });
    await fresh.delete('alice key');
    expect(await fresh.get('alice key')).toBeUndefined();
  });

  it('says when keytar is absent, and keeps secrets for this run only', async () => {
    const load = () => Promise.reject(new Error("Cannot find package 'keytar'"));
    const keychain = new Keychain(load);
    await keychain.set('alice password', secret());
    expect(text(await keychain.get('alice password'))).toBe('hunter2');
    expect(await keychain.list()).toEqual(['alice password']);
    expect(await keychain.health()).toEqual({ usable: false, reason: "Cannot find package 'keytar'" });
    expect(await new Keychain(load).get('alice password')).toBeUndefined();
  });

  it('says when the binding loads but no keychain answers', async () => {
    const { keytar, state } = fakeKeytar();
    state.isLocked = true;
    const keychain = new Keychain(async () => keytar);
    expect(await keychain.health()).toEqual({ usable: false, reason: 'the keyring is locked' });
  });

  it('degrades to memory, visibly, when the keychain is locked later, and recovers', async () => {
    const { keytar, state, entries } = fakeKeytar();
    const keychain = new Keychain(async () => keytar);
    await keychain.health();
    state.isLocked = true;
    await keychain.set('alice password', secret());
    expect(text(await keychain.get('alice password'))).toBe('hunter2');
    expect(await keychain.health()).toMatchObject({ usable: false });
    state.isLocked = false;
    await keychain.set('alice password', secret());
    expect(entries.has('alice password')).toBe(true);
    expect(await keychain.health()).toEqual({ usable: true });
  });
});

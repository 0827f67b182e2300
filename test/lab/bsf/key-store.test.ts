import { describe, expect, it } from 'vitest';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { OpenChallenges } from '../../../src/lab/bsf/challenges.ts';
import { KeyStore, type KeptKey } from '../../../src/lab/bsf/key-store.ts';

const kept = (btid: string, impi: string, validUntil = 1_000): KeptKey => ({
  btid,
  input: { ks: new SecretBytes(new Uint8Array(32)), impi, bootstrapping: { mode: 'gba-digest', nonce: 'n' } },
  bootstrappedAt: 0,
  validUntil,
});

describe('bootstrapped keys', () => {
  it('end with their time', () => {
    const store = new KeyStore();
    const key = kept('a', 'alice');
    store.put(key, 0);
    expect(store.get('a', 999)).toBe(key);
    expect(store.get('a', 1_000)).toBeUndefined();
    expect(() => key.input.ks.length).toThrow(/dispose/);
    expect(store.size).toBe(0);
  });

  it('are bounded for each subscriber, whose oldest goes first, and in all', () => {
    const store = new KeyStore();
    for (let count = 0; count < 9; count++) store.put(kept(`a${count}`, 'alice'), 0);
    store.put(kept('b', 'bob'), 0);
    expect(store.get('a0', 1)).toBeUndefined();
    expect(store.get('a1', 1)).toBeDefined();
    expect(store.size).toBe(9);
    for (let count = 0; count < 400; count++) store.put(kept(`c${count}`, `user ${count}`, 500), 0);
    store.put(kept('d', 'dave'), 600);
    expect(store.size).toBe(10);
  });

  it('are all lost in a restart', () => {
    const store = new KeyStore();
    const key = kept('a', 'alice');
    store.put(key, 0);
    store.clear();
    expect(store.get('a', 1)).toBeUndefined();
    expect(() => key.input.ks.length).toThrow(/dispose/);
  });
});

describe('open challenges', () => {
  const open = (nonce: string, until = 1_000) => ({
    privateIdentity: 'alice',
    challenge: { realm: 'r', nonce, opaque: undefined, algorithm: 'MD5' as const, stale: false },
    vector: undefined,
    until,
  });

  it('serve once, and not after their time', () => {
    const challenges = new OpenChallenges();
    challenges.put(open('a'), 0);
    challenges.put(open('b'), 0);
    expect(challenges.take('a', 1)).toBeDefined();
    expect(challenges.take('a', 1)).toBeUndefined();
    expect(challenges.take('b', 1_000)).toBeUndefined();
    expect(challenges.take('c', 1)).toBeUndefined();
  });

  it('are bounded: the oldest go first', () => {
    const challenges = new OpenChallenges();
    for (let count = 0; count <= 4_096; count++) challenges.put(open(`n${count}`), 0);
    expect(challenges.take('n0', 1)).toBeUndefined();
    expect(challenges.take('n1', 1)).toBeDefined();
    expect(challenges.take('n4096', 1)).toBeDefined();
  });
});

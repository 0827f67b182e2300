import { describe, expect, it } from 'vitest';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import type { SimStateStore } from '../../../src/engine/ports.ts';
import { createMemorySimState } from '../../../src/engine/sim/memory-sim-state.ts';
import { SoftwareSim, simName } from '../../../src/engine/sim/index.ts';
import { AuthenticationCentre } from '../../../src/protocol/gba/index.ts';
import { seededRandom } from '../../support/seeded-random.ts';

const random = seededRandom('sim');
const keys = { k: new SecretBytes(random.bytes(16)), opc: new SecretBytes(random.bytes(16)) };
const challenge = (seq = 1) => new AuthenticationCentre(keys).createVector(random.bytes(16), { seq, ind: 0 }).vector;

describe('SoftwareSim', () => {
  it('remembers what it took, also when it is made again', () => {
    const state = createMemorySimState();
    const { rand, autn } = challenge();
    expect(new SoftwareSim({ keys, state }).authenticate(rand, autn).outcome).toBe('success');
    expect(new SoftwareSim({ keys, state }).authenticate(rand, autn).outcome).toBe('sync-failure');
  });

  it('keeps the sequence numbers of each key apart', () => {
    const other = { ...keys, k: new SecretBytes(random.bytes(16)) };
    expect(simName(other)).not.toBe(simName(keys));
    expect(simName({ ...keys, opc: new SecretBytes(random.bytes(16)) })).toBe(simName(keys));
    expect(keys.k.use((k) => Buffer.from(k).toString('hex'))).not.toContain(simName(keys).slice(0, 8));
  });

  it.each<[string, SimStateStore | undefined, RegExp]>([
    ['there is no place for them', undefined, /no place/],
    ['they cannot be read', failing({ load: true }), /cannot be read: disk/],
    ['they are damaged', { load: () => [1, 2, 3], save: () => undefined }, /cannot be read: aka.sequenceWindow/],
    ['they cannot be kept', failing({ load: false }), /cannot be kept: disk/],
  ])('gives no keys when its sequence numbers %s', (_, state, reason) => {
    const { rand, autn } = challenge();
    const outcome = new SoftwareSim({ keys, state }).authenticate(rand, autn);
    expect(outcome).toEqual({ outcome: 'unusable', reason: expect.stringMatching(reason) as string });
  });

  it('keeps nothing of a challenge that it refuses', () => {
    const saved: unknown[] = [];
    const state = { load: () => undefined, save: (...args: unknown[]) => void saved.push(args) };
    const { rand, autn } = challenge();
    expect(new SoftwareSim({ keys, state }).authenticate(autn, rand).outcome).toBe('mac-failure');
    expect(saved).toEqual([]);
  });
});

function failing({ load }: { load: boolean }): SimStateStore {
  const fail = (): never => {
    throw new Error('disk');
  };
  return { load: load ? fail : () => undefined, save: fail };
}

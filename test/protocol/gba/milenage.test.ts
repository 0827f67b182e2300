import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../../src/base/bytes.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { computeOpc, Milenage, standardConstants } from '../../../src/protocol/gba/index.ts';

type TestSet = Readonly<
  Record<
    'k' | 'rand' | 'sqn' | 'amf' | 'op' | 'opc' | 'f1' | 'f1Star' | 'f2' | 'f3' | 'f4' | 'f5' | 'f5Star',
    string
  > & {
    set: number;
  }
>;

const file = new URL('../../vectors/milenage.json', import.meta.url);
const { sets } = JSON.parse(readFileSync(file, 'utf8')) as { sets: TestSet[] };
const secret = (hex: string): SecretBytes => new SecretBytes(fromHex(hex));
const shown = (bytes: SecretBytes): string => bytes.use(toHex);

describe('Milenage', () => {
  it('has all test sets of TS 35.208', () => {
    expect(sets.map(({ set }) => set)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
  });

  it.each(sets)('computes test set $set of TS 35.208', (set) => {
    const k = secret(set.k);
    const opc = computeOpc(k, secret(set.op));
    expect(shown(opc)).toBe(set.opc);
    const milenage = new Milenage({ k, opc });
    const rand = fromHex(set.rand);
    const { macA, macS } = milenage.f1(rand, fromHex(set.sqn), fromHex(set.amf));
    expect([toHex(macA), toHex(macS)]).toEqual([set.f1, set.f1Star]);
    const { res, ck, ik, ak } = milenage.f2345(rand);
    expect([shown(res), shown(ck), shown(ik), toHex(ak)]).toEqual([set.f2, set.f3, set.f4, set.f5]);
    expect(toHex(milenage.f5Star(rand))).toBe(set.f5Star);
  });

  it('takes constants of an operator', () => {
    const { k, opc, rand } = sets[0]!;
    const keys = { k: secret(k), opc: secret(opc) };
    // With the constants of f5* exchanged for those of f2 and f5, f5* is f5.
    const { c, r } = standardConstants;
    const own = new Milenage(keys, { c: [c[0], c[1], c[2], c[3], c[1]], r: [r[0], r[1], r[2], r[3], r[1]] });
    expect(toHex(own.f5Star(fromHex(rand)))).toBe(sets[0]!.f5);
    // Rotation by bits that are no whole octets: 96 = 8 * 11 + 8, so 95 must differ and 96 must not.
    const odd = new Milenage(keys, { c, r: [64, 0, 32, 64, 95] });
    expect(toHex(odd.f5Star(fromHex(rand)))).not.toBe(sets[0]!.f5Star);
  });

  it.each([
    ['K of 15 octets', () => new Milenage({ k: secret('00'.repeat(15)), opc: secret('00'.repeat(16)) })],
    ['OPc of 17 octets', () => new Milenage({ k: secret('00'.repeat(16)), opc: secret('00'.repeat(17)) })],
    ['OP of 8 octets', () => computeOpc(secret('00'.repeat(16)), secret('00'.repeat(8)))],
    ['a rotation by 128', () => withConstants({ ...standardConstants, r: [64, 0, 32, 64, 128] })],
    ['a short constant', () => withConstants({ ...standardConstants, c: threeOf(new Uint8Array(15)) })],
  ])('refuses %s', (_, make) => {
    expect(make).toThrow(expect.objectContaining({ kind: 'local' }));
  });

  it.each([
    ['RAND', () => withConstants(standardConstants).f2345(new Uint8Array(15))],
    ['SQN', () => withConstants(standardConstants).f1(new Uint8Array(16), new Uint8Array(5), new Uint8Array(2))],
    ['AMF', () => withConstants(standardConstants).f1(new Uint8Array(16), new Uint8Array(6), new Uint8Array(3))],
  ])('refuses %s of another size', (_, run) => {
    expect(run).toThrow(expect.objectContaining({ kind: 'malformed' }));
  });

  it('shows no key', () => {
    const { k, opc, rand } = sets[0]!;
    const milenage = new Milenage({ k: secret(k), opc: secret(opc) });
    expect(JSON.stringify([milenage, milenage.f2345(fromHex(rand))])).not.toMatch(
      new RegExp(`${k}|${opc}|${sets[0]!.f2}`),
    );
  });
});

function withConstants(constants: typeof standardConstants): Milenage {
  return new Milenage({ k: secret('00'.repeat(16)), opc: secret('00'.repeat(16)) }, constants);
}

function threeOf(last: Uint8Array): typeof standardConstants.c {
  const { c } = standardConstants;
  return [c[0], c[1], c[2], c[3], last];
}

import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

import { fromHex } from '../../src/base/bytes.ts';
import { check, inputOf } from '../fuzz/input.ts';
import { runTarget, type FuzzFinding } from '../fuzz/run-target.ts';
import { targets } from '../fuzz/targets/index.ts';

const folder = new URL('../fuzz/findings/', import.meta.url);
const findings = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .map((name) => ({ name, finding: JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as FuzzFinding }));

describe('what the fuzz harness once found', () => {
  it.each(findings)('$name stays mended', async ({ finding }) => {
    const target = targets.find(({ name }) => name === finding.target);
    expect(target).toBeDefined();
    await check(target!, finding.seed, finding.index, fromHex(finding.input));
  });
});

describe.each(targets)('fuzz target $name', (target) => {
  it('makes the same inputs in every run, and others for another seed', () => {
    const inputs = (seed: string): string =>
      Array.from({ length: 40 }, (_, index) => inputOf(target, seed, index)).join('|');
    expect(inputs('1')).toBe(inputs('1'));
    expect(inputs('1')).not.toBe(inputs('2'));
  });

  it('takes its own corpus and some damaged inputs', { timeout: 60_000 }, async () => {
    for (const [index, input] of target.corpus.entries()) await check(target, 'corpus', index, Uint8Array.from(input));
    for (let index = 0; index < 150; index++) await check(target, 'test', index, inputOf(target, 'test', index));
  });
});

describe('the runner', () => {
  it('gives the wanted number of inputs in a thread of its own', { timeout: 120_000 }, async () => {
    const target = targets.find(({ name }) => name === 'cms')!;
    expect(await runTarget(target, 'runner', { inputs: 25 })).toEqual({ inputs: 25, finding: undefined });
  });

  it('stops after a time when that is wanted', { timeout: 120_000 }, async () => {
    const target = targets.find(({ name }) => name === 'cms')!;
    const { inputs, finding } = await runTarget(target, 'runner', { seconds: 0.2 });
    expect(finding).toBeUndefined();
    expect(inputs).toBeGreaterThan(0);
  });

  it('reports a thread that cannot work as a finding, with the input', { timeout: 120_000 }, async () => {
    const target = { ...targets[0]!, name: 'nobody knows this target' };
    const { finding } = await runTarget(target, 'runner', { inputs: 1 });
    expect(finding).toMatchObject({ target: target.name, seed: 'runner', index: 0 });
    expect(finding?.problem).toContain('started by the fuzz runner only');
    expect(finding?.input).toMatch(/^[0-9a-f]*$/);
  });
});

import { exec, execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { temporaryFolder } from '../support/temporary-folder.ts';

const asDocumented = /^npm run --silent demo -- --json -$/m;
const demo = (...args: readonly string[]) =>
  promisify(execFile)(process.execPath, [resolve('src/cli/demo.ts'), ...args]);
const timeout = 120_000;

const reportSchema = z.object({
  ok: z.literal(true),
  deliveries: z.array(z.object({ way: z.string(), reach: z.string(), ok: z.literal(true) })),
  files: z.array(z.object({ ok: z.literal(true) })).min(1),
  attacks: z.array(z.object({ attack: z.string(), ok: z.literal(true) })).length(6),
});

function expectWhole(json: string): void {
  const { deliveries } = reportSchema.parse(JSON.parse(json));
  const ways = deliveries.map(({ way, reach }) => `${way} ${reach}`);
  expect([...new Set(ways)].sort()).toEqual(['message e2ae', 'message e2e', 'msrp e2ae', 'msrp e2e']);
}

describe('the report of the demonstration for machines', () => {
  it('is all that the command of the README prints', { timeout }, async () => {
    const [command] = asDocumented.exec(await readFile('README.md', 'utf8')) ?? [];
    expect(command).toBeDefined();
    const { stdout } = await promisify(exec)(command ?? '');
    expectWhole(stdout);
  });

  it('is put in a file while the screen shows it to people', { timeout }, async () => {
    const file = join(temporaryFolder('demo'), 'report.json');
    const { stdout } = await demo('--json', file);
    expect(stdout).toContain('... ');
    expect(stdout).not.toContain('"deliveries"');
    expectWhole(await readFile(file, 'utf8'));
  });

  it('is not begun for a folder that is not there', async () => {
    const folder = join(temporaryFolder('demo'), 'absent');
    const stderr = expect.stringContaining(folder) as string;
    await expect(demo('--json', join(folder, 'report.json'))).rejects.toMatchObject({ code: 1, stdout: '', stderr });
  });
});

import { spawnSync } from 'node:child_process';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { outcomeVariable, readOutcome } from './outcome.ts';

const absent = { reason: 'there is no such program', packages: ['a-package'] };

const tests = `
import { describe, expect, it } from 'vitest';
import { needing } from ${JSON.stringify(resolve('test/support/needs/needs.ts'))};
const lack = ${JSON.stringify(absent)};
it('passes', needing(undefined), () => expect(1).toBe(1));
it('fails', () => expect(1).toBe(2));
describe('what needs a program', needing(undefined, lack), () => {
  it('is skipped', () => expect(1).toBe(2));
  it.each([1, 2])('each time, %s', () => expect(1).toBe(2));
});
it.skip('is skipped without a word', () => expect(1).toBe(2));
`;

it('what a run came to is told and kept, with the reason for each test that was skipped', () => {
  const folder = temporaryFolder('reporter');
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'));
  writeFileSync(join(folder, 'some.test.ts'), tests);
  const reporter = JSON.stringify(resolve('test/all/outcome-reporter.ts'));
  const config = `import { OutcomeReporter } from ${reporter};
export default { test: { reporters: [new OutcomeReporter()], include: ['*.test.ts'] } };`;
  writeFileSync(join(folder, 'vitest.config.ts'), config);
  const left = join(folder, 'outcome.json');
  const vitest = resolve('node_modules/vitest/vitest.mjs');
  const env = { ...process.env, [outcomeVariable]: left };
  const run = spawnSync(process.execPath, [vitest, 'run'], { cwd: folder, env, encoding: 'utf8' });

  expect(run.status).toBe(1);
  expect(run.stdout).toContain('3 tests skipped in some.test.ts: there is no such program (Debian: a-package)\n');
  expect(run.stdout).toContain('1 test skipped in some.test.ts: nothing says why\n');
  const outcome = readOutcome(readFileSync(left, 'utf8'));
  expect(outcome).toMatchObject({
    passed: 1,
    failed: 1,
    skipped: [
      { lacks: [absent], tests: 3 },
      { lacks: [], tests: 1 },
    ],
    files: [{ file: 'some.test.ts' }],
  });
});

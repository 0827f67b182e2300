import { spawn, type StdioOptions } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { StepResult } from './closing-summary.ts';
import { outcomeVariable, readOutcome } from './outcome.ts';

/** An npm script that is a part of the whole test run. */
export interface Step {
  readonly name: string;
  readonly script: string;
}

const cache = resolve('node_modules/.cache');

/** What starts here starts many processes of ours: each finds the sources compiled by the one before. */
const environment = { ...process.env, NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(cache, 'compiled') };

/** Runs checks, so many at once, and tells of each what it said when it is over. */
export async function runChecks(checks: readonly Step[], atOnce: number): Promise<StepResult[]> {
  const waiting = [...checks];
  const results: StepResult[] = [];
  const work = async (): Promise<void> => {
    for (let check = waiting.shift(); check !== undefined; check = waiting.shift()) {
      const { isOk, output, milliseconds } = await runScript(check.script, 'pipe');
      process.stdout.write(`\n== ${check.name}: ${isOk ? 'fine' : 'FAILED'}\n${isOk ? '' : output}`);
      results.push({ name: check.name, isOk, milliseconds, runsTests: false });
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return results;
}

/** Runs tests, which may have the machine for themselves. */
export async function runTests({ name, script }: Step): Promise<StepResult> {
  process.stdout.write(`\n== ${name}\n`);
  mkdirSync(cache, { recursive: true });
  const file = join(cache, 'test-outcome.json');
  rmSync(file, { force: true });
  const { isOk, milliseconds } = await runScript(script, 'inherit', { [outcomeVariable]: file });
  const outcome = existsSync(file) ? readOutcome(readFileSync(file, 'utf8')) : undefined;
  return { name, isOk, milliseconds, runsTests: true, outcome };
}

interface Ended {
  readonly isOk: boolean;
  readonly output: string;
  readonly milliseconds: number;
}

function runScript(script: string, output: 'pipe' | 'inherit', more: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const start = performance.now();
  const stdio: StdioOptions = ['ignore', output, output];
  const options = { stdio, env: { ...environment, ...more } };
  const parameters = ['run', '--silent', script];
  // npm tells where it is; without it there is one on the PATH, on Windows as a script for the shell.
  const npm = process.env.npm_execpath;
  const child =
    npm === undefined
      ? spawn('npm', parameters, { ...options, shell: process.platform === 'win32' })
      : spawn(process.execPath, [npm, ...parameters], options);
  let said = '';
  child.stdout?.on('data', (bytes: Buffer) => (said += bytes.toString()));
  child.stderr?.on('data', (bytes: Buffer) => (said += bytes.toString()));
  return new Promise((ended, reject) => {
    child.once('error', reject);
    child.once('close', (status) =>
      ended({ isOk: status === 0, output: said, milliseconds: performance.now() - start }),
    );
  });
}

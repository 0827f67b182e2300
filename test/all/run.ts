import { availableParallelism } from 'node:os';
import { readOptions } from '../../src/cli/command-line.ts';
import { summarize, type StepResult } from './closing-summary.ts';
import { runChecks, runTests } from './steps.ts';

const usage = `npm test [-- --complete]

Checks the types, the code, the layers, what is unused and the format; then runs the unit tests, those against other
implementations, and those in a browser. What needs something that is not installed is skipped, and the run says so.

  --complete  fails also when something was skipped that an installed package would let run

Exit status 0 only if everything passed.
`;

/** The longest first, so that they end at about the same time. */
const checks = [
  { name: 'code (ESLint)', script: 'lint:code' },
  { name: 'types', script: 'typecheck' },
  { name: 'layers (dependency-cruiser)', script: 'layers' },
  { name: 'what is unused (knip)', script: 'unused' },
  { name: 'format (prettier)', script: 'lint:format' },
];

const tests = [
  { name: 'unit and integration tests', script: 'test:unit' },
  { name: 'tests against other implementations', script: 'test:interop' },
  { name: 'tests in a browser', script: 'test:browser' },
];

async function main(mustBeComplete: boolean): Promise<void> {
  const results: StepResult[] = await runChecks(checks, Math.min(2, availableParallelism()));
  // What does not pass the checks is mended first: the tests take minutes.
  if (results.every(({ isOk }) => isOk)) {
    for (const step of tests) results.push(await runTests(step));
  }
  const { isOk, text } = summarize(results, mustBeComplete);
  process.stdout.write(`${text}\n`);
  if (!isOk) process.exitCode = 1;
}

const options = readOptions(usage, { complete: { type: 'boolean', default: false } });
if (options !== undefined) await main(options.complete);

/* eslint-disable no-console -- prints what it finds */
import { mkdir, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';

import { runTarget, type FuzzBound, type FuzzFinding } from './run-target.ts';
import { targets } from './targets/index.ts';

const usage = `usage: npm run fuzz -- [--target NAME] [--inputs N | --seconds N] [--seed S]

Gives damaged inputs to every parser, or to one. A run with the same seed makes the same inputs.
  --target NAME  ${targets.map(({ name }) => name).join(', ')}
  --inputs N     for each target: the same work with the same seed on every machine
  --seconds N    in total, shared by the targets (60)
  --seed S       any text (a new one for each run, printed)

A finding is printed and written to fuzz-findings/; the exit status is 1 then. Moved to test/fuzz/findings/ it is replayed by
the tests.
`;

/** Of hexadecimal digits. */
const maxPrintedDigits = 4096;

const { values } = parseArgs({
  options: {
    help: { type: 'boolean', short: 'h' },
    target: { type: 'string' },
    inputs: { type: 'string' },
    seconds: { type: 'string' },
    seed: { type: 'string', default: String(Date.now()) },
  },
});
const chosen = targets.filter(({ name }) => values.target === undefined || name === values.target);
const bound = readBound();
if (values.help === true) {
  console.log(usage.trimEnd());
} else if (chosen.length === 0 || bound === undefined) {
  console.error('Unknown target, or no bound. --help tells what may be given.');
  process.exitCode = 2;
} else {
  process.exitCode = (await runAll(bound)) === 0 ? 0 : 1;
}

function readBound(): FuzzBound | undefined {
  const { inputs, seconds } = values;
  if (inputs !== undefined) {
    return seconds === undefined && /^[1-9]\d{0,8}$/.test(inputs) ? { inputs: Number(inputs) } : undefined;
  }
  const each = Number(seconds ?? '60') / chosen.length;
  return each > 0 ? { seconds: each } : undefined;
}

async function runAll(bound: FuzzBound): Promise<number> {
  const each = 'inputs' in bound ? `${bound.inputs} inputs` : `${bound.seconds.toFixed(1)} s`;
  console.log(`seed ${values.seed}, ${each} for each of ${chosen.length} targets`);
  let findings = 0;
  for (const target of chosen) {
    const { inputs, finding } = await runTarget(target, values.seed, bound);
    console.log(
      `${target.name.padEnd(18)} ${String(inputs).padStart(9)} inputs  ${finding === undefined ? 'ok' : 'FINDING'}`,
    );
    if (finding === undefined) continue;
    findings++;
    await report(finding);
  }
  return findings;
}

async function report(finding: FuzzFinding): Promise<void> {
  const folder = new URL('../../fuzz-findings/', import.meta.url);
  await mkdir(folder, { recursive: true });
  const name = `${finding.target}-${finding.seed.replaceAll(/[^a-zA-Z0-9-]/g, '_')}-${finding.index}.json`;
  await writeFile(new URL(name, folder), `${JSON.stringify(finding, undefined, 2)}\n`);
  console.log(`  target ${finding.target}, seed ${finding.seed}, input ${finding.index}: ${finding.problem}`);
  const { input } = finding;
  console.log(
    `  input: ${input.length <= maxPrintedDigits ? input : `${input.slice(0, maxPrintedDigits)}... (whole in the file)`}`,
  );
  console.log(`  written to fuzz-findings/${name}`);
}

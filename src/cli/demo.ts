import { access, constants, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describeError } from '../base/errors.ts';
import { createMemorySimState } from '../engine/sim/memory-sim-state.ts';
import { startLab } from '../lab/lab.ts';
import { credentialModeNamed, labCredentialModes, type LabCredentialMode } from '../lab/ue-config.ts';
import { createEnginePorts } from '../node/create-engine-ports.ts';
import { replaceFile } from '../node/whole-file.ts';
import { readOptions } from './command-line.ts';
import { KeyNames } from './demo/key-names.ts';
import { openPages } from './demo/pages.ts';
import { startParty } from './demo/parties.ts';
import { formatReport } from './demo/report.ts';
import { runDemo, type DemoStage } from './demo/run-demo.ts';

const usage = `npm run demo -- [--kms MODE] [--json FILE] [--no-ui] [--pages-only]

Starts a lab on loopback and two UEs, sends in all four ways and files both directions, shows what protected
each and where its plaintext was found, and shows that six attacks are refused.

  --kms MODE    how the UEs come to the key that they share with the key management server: static-psk (given by hand,
                the default), gba-aka (bootstrapped with a software SIM) or gba-digest (with the SIP password)
  --json FILE   put the report in a file as JSON as well, then end; with - it is all that standard output gets
                (npm run --silent demo -- --json - keeps npm's own lines out of it)
  --no-ui       end after the report instead of opening the two UEs' pages
  --pages-only  no report, only the pages

Exit status 0 only if every row is as it must be.
`;

/** The FILE of `--json` that means standard output. */
const standardOutput = '-';

interface Options {
  readonly kms: LabCredentialMode;
  /** The file for the report as JSON, or {@link standardOutput}. */
  readonly json: string | undefined;
  readonly hasReport: boolean;
  readonly hasPages: boolean;
}

async function setStage(kms: LabCredentialMode, receivedFolder: string): Promise<DemoStage> {
  const lab = await startLab();
  try {
    const keyNames = new KeyNames();
    const ports = { ...(await createEnginePorts({ log: keyNames, receivedFolder })), simState: createMemorySimState() };
    const alice = await startParty(lab, ports, 'alice', { kms });
    const bob = await startParty(lab, ports, 'bob', { kms });
    return { lab, ports, kms, keyNames, alice, bob };
  } catch (error) {
    await lab.stop();
    throw error;
  }
}

async function main({ kms, json, hasReport, hasPages }: Options): Promise<void> {
  if (json !== undefined && json !== standardOutput) await access(dirname(json), constants.W_OK);
  const receivedFolder = await mkdtemp(join(tmpdir(), 'tessera-demo-received-'));
  try {
    await runOn(await setStage(kms, receivedFolder), { json, hasReport, hasPages });
  } finally {
    await rm(receivedFolder, { recursive: true, force: true });
  }
}

async function runOn(stage: DemoStage, { json, hasReport, hasPages }: Omit<Options, 'kms'>): Promise<void> {
  try {
    if (hasReport) await report(stage, json);
    if (hasPages) await openPages([stage.alice, stage.bob]);
  } finally {
    await Promise.all([stage.alice.stop(), stage.bob.stop()]);
    await stage.lab.stop();
  }
}

async function report(stage: DemoStage, json: string | undefined): Promise<void> {
  const tell = (text: string): void => {
    if (json !== standardOutput) console.log(text);
  };
  const result = await runDemo(stage, (step) => {
    tell(`... ${step}`);
  });
  tell(`\n${formatReport(result)}`);
  if (!result.ok) process.exitCode = 1;
  if (json !== undefined) await writeJson(json, `${JSON.stringify(result, null, 2)}\n`);
}

async function writeJson(path: string, text: string): Promise<void> {
  if (path === standardOutput) {
    process.stdout.write(text);
    return;
  }
  try {
    await replaceFile(path, text);
  } catch (error) {
    console.error(`The report could not be written: ${describeError(error)}`);
    process.exitCode = 1;
  }
}

const values = readOptions(
  usage,
  {
    kms: { type: 'string', default: 'static-psk' },
    json: { type: 'string' },
    'no-ui': { type: 'boolean', default: false },
    'pages-only': { type: 'boolean', default: false },
  },
  (given) => {
    if (credentialModeNamed(given.kms) === undefined) return `--kms is one of ${labCredentialModes.join(', ')}`;
    if (given.json === '') return '--json needs the name of a file, or - for standard output';
    return given['pages-only'] && (given.json !== undefined || given['no-ui'])
      ? '--pages-only goes with neither --json nor --no-ui'
      : undefined;
  },
);
if (values !== undefined) {
  main({
    kms: credentialModeNamed(values.kms) ?? 'static-psk',
    json: values.json,
    hasReport: !values['pages-only'],
    hasPages: values.json === undefined && !values['no-ui'],
  }).catch((error: unknown) => {
    console.error(`The demonstration could not run: ${describeError(error)}`);
    process.exitCode = 1;
  });
}

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeError } from '../base/errors.ts';
import { createMemorySimState } from '../engine/sim/memory-sim-state.ts';
import { startLab } from '../lab/lab.ts';
import { credentialModeNamed, labCredentialModes, type LabCredentialMode } from '../lab/ue-config.ts';
import { createEnginePorts } from '../node/create-engine-ports.ts';
import { readOptions } from './command-line.ts';
import { KeyNames } from './demo/key-names.ts';
import { openPages } from './demo/pages.ts';
import { startParty } from './demo/parties.ts';
import { formatReport } from './demo/report.ts';
import { runDemo, type DemoStage } from './demo/run-demo.ts';

const usage = `npm run demo -- [--kms MODE] [--json] [--no-ui] [--pages-only]

Starts a lab on loopback and two UEs, sends in all four ways and files both directions, shows what protected
each and where its plaintext was found, and shows that six attacks are refused.

  --kms MODE    how the UEs come to the key that they share with the key management server: static-psk (given by hand,
                the default), gba-aka (bootstrapped with a software SIM) or gba-digest (with the SIP password)
  --json        print the report as JSON, then end
  --no-ui       end after the report instead of opening the two UEs' pages
  --pages-only  no report, only the pages

Exit status 0 only if every row is as it must be.
`;

interface Options {
  readonly kms: LabCredentialMode;
  readonly isJson: boolean;
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

async function main({ kms, isJson, hasReport, hasPages }: Options): Promise<void> {
  const receivedFolder = await mkdtemp(join(tmpdir(), 'tessera-demo-received-'));
  try {
    await runOn(await setStage(kms, receivedFolder), { isJson, hasReport, hasPages });
  } finally {
    await rm(receivedFolder, { recursive: true, force: true });
  }
}

async function runOn(stage: DemoStage, { isJson, hasReport, hasPages }: Omit<Options, 'kms'>): Promise<void> {
  try {
    if (hasReport) {
      const report = await runDemo(stage, (step) => {
        if (!isJson) console.log(`... ${step}`);
      });
      console.log(isJson ? JSON.stringify(report, null, 2) : `\n${formatReport(report)}`);
      if (!report.ok) process.exitCode = 1;
    }
    if (hasPages) await openPages([stage.alice, stage.bob]);
  } finally {
    await Promise.all([stage.alice.stop(), stage.bob.stop()]);
    await stage.lab.stop();
  }
}

const values = readOptions(
  usage,
  {
    kms: { type: 'string', default: 'static-psk' },
    json: { type: 'boolean', default: false },
    'no-ui': { type: 'boolean', default: false },
    'pages-only': { type: 'boolean', default: false },
  },
  (given) => {
    if (credentialModeNamed(given.kms) === undefined) return `--kms is one of ${labCredentialModes.join(', ')}`;
    return given['pages-only'] && (given.json || given['no-ui'])
      ? '--pages-only goes with neither --json nor --no-ui'
      : undefined;
  },
);
if (values !== undefined) {
  main({
    kms: credentialModeNamed(values.kms) ?? 'static-psk',
    isJson: values.json,
    hasReport: !values['pages-only'],
    hasPages: !values.json && !values['no-ui'],
  }).catch((error: unknown) => {
    console.error(`The demonstration could not run: ${describeError(error)}`);
    process.exitCode = 1;
  });
}

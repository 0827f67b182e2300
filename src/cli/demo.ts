import { parseArgs } from 'node:util';
import { describeError } from '../base/errors.ts';
import { silentLogger } from '../base/log.ts';
import { startLab } from '../lab/lab.ts';
import { createEnginePorts } from '../node/create-engine-ports.ts';
import { openPages } from './demo/pages.ts';
import { startParty } from './demo/parties.ts';
import { formatReport } from './demo/report.ts';
import { runDemo, type DemoStage } from './demo/run-demo.ts';

const usage = `npm run demo -- [--json] [--no-ui] [--pages-only]

Starts a lab on loopback and two UEs, sends in all four ways both directions, shows what protected each message
and where its plaintext was found, and shows that six attacks are refused.

  --json        print the report as JSON, then end
  --no-ui       end after the report instead of opening the two UEs' pages
  --pages-only  no report, only the pages

Exit status 0 only if every row is as it must be.
`;

const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    'no-ui': { type: 'boolean', default: false },
    'pages-only': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

async function setStage(): Promise<DemoStage> {
  const lab = await startLab();
  try {
    const ports = await createEnginePorts({ log: silentLogger });
    const alice = await startParty(lab, ports, 'alice');
    const bob = await startParty(lab, ports, 'bob');
    return { lab, ports, alice, bob };
  } catch (error) {
    await lab.stop();
    throw error;
  }
}

async function main(): Promise<void> {
  const stage = await setStage();
  try {
    if (!options['pages-only']) {
      const report = await runDemo(stage, (step) => {
        if (!options.json) console.log(`... ${step}`);
      });
      console.log(options.json ? JSON.stringify(report, null, 2) : `\n${formatReport(report)}`);
      if (!report.ok) process.exitCode = 1;
    }
    if (!options.json && !options['no-ui']) await openPages([stage.alice, stage.bob]);
  } finally {
    await Promise.all([stage.alice.stop(), stage.bob.stop()]);
    await stage.lab.stop();
  }
}

if (options.help) {
  console.log(usage);
} else {
  main().catch((error: unknown) => {
    console.error(`The demonstration could not run: ${describeError(error)}`);
    process.exitCode = 1;
  });
}

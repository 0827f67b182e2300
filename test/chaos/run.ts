/* eslint-disable no-console -- prints what it finds */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ChaosNetwork } from './chaos-network.ts';
import { chaosUsage, readChaosOptions, type ChaosOptions } from './chaos-options.ts';
import { ChaosRun } from './chaos-run.ts';
import { isWrong } from './ledger.ts';
import { createPlan, openMark, sealedMark } from './plan.ts';
import { everyMessage, explainWrong, summarise } from './report.ts';
import { scanRecord } from './wire-scan.ts';

const print = (line: string): void => console.log(line);

const given = readChaosOptions(process.argv.slice(2));
if (given.kind === 'help') print(chaosUsage.trimEnd());
else if (given.kind === 'wrong') {
  console.error(`${given.problem}. --help tells what may be given.`);
  process.exitCode = 2;
} else {
  const isRight = await runChaos(given.options);
  // All processes are gone and the folder is removed: nothing that is left here is waited for.
  process.exit(isRight ? 0 : 1);
}

async function runChaos(chosen: ChaosOptions): Promise<boolean> {
  const plan = createPlan(chosen);
  print(
    `seed ${chosen.seed}: ${plan.messages.length} messages and ${plan.faults.length} faults in ${chosen.minutes} min`,
  );
  const folder = await mkdtemp(join(tmpdir(), 'tessera-chaos-'));
  const network = await ChaosNetwork.start(folder);
  const run = new ChaosRun(network, print);
  const end = (): void => void run.stop().then(() => network.stop());
  process.once('SIGTERM', end);
  process.once('SIGINT', end);
  try {
    const { verdicts, problems, ues } = await run.run(plan);
    const found = [...problems, ...(await problemsOfRecord(network.recordFolder))];
    await writeFile(join(folder, 'messages.txt'), everyMessage(verdicts, ues).join('\n'));
    print(summarise(verdicts).join('\n'));
    for (const line of [...explainWrong(verdicts, ues), ...found]) print(line);
    const isRight = found.length === 0 && !verdicts.some(isWrong);
    print(
      isRight
        ? 'ok'
        : `FAILED; again with: npm run chaos -- --seed ${chosen.seed} --minutes ${chosen.minutes} --messages ${chosen.messages}`,
    );
    return isRight;
  } finally {
    await run.stop();
    await network.stop();
    if (chosen.keep) print(`everything is in ${folder}`);
    else await rm(folder, { recursive: true, force: true });
  }
}

/** What had to be sealed is nowhere to be read; what did not is, or the search would have found nothing anyway. */
async function problemsOfRecord(folder: string): Promise<string[]> {
  const sealed = await scanRecord(folder, sealedMark);
  const open = await scanRecord(folder, openMark);
  print(`searched ${sealed.octets} octets that passed the network`);
  return [
    ...sealed.files.map((file) => `a text for two stands in the record ${file}`),
    ...(open.files.length > 0 ? [] : ['the record holds none of the texts for many: it proves nothing']),
  ];
}

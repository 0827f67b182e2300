/* eslint-disable no-console -- prints its table */
import { benchUsage, BenchUsageError, readBenchOptions, type BenchOptions } from './bench-options.ts';
import { formatRow, type BenchRow } from './bench-row.ts';
import { benchImmediate } from './immediate/immediate.ts';
import { benchKms } from './kms/kms.ts';
import { benchMessages } from './message.ts';
import { benchMsrp, msrpParts } from './msrp/msrp.ts';
import { benchStore } from './store/store.ts';

type Suite = (options: BenchOptions) => AsyncIterable<BenchRow> | Promise<readonly BenchRow[]>;

const suites: Readonly<Record<string, Suite>> = {
  msrp: benchMsrp,
  message: benchMessages,
  kms: benchKms,
  store: benchStore,
  immediate: benchImmediate,
};
const choices = { suites: Object.keys(suites), parts: msrpParts };

function options(): BenchOptions {
  try {
    return readBenchOptions(process.argv.slice(2), choices);
  } catch (error) {
    if (!(error instanceof BenchUsageError)) throw error;
    console.error(`${error.message}\n\n${benchUsage(choices)}`);
    process.exit(2);
  }
}

const chosen = options();
console.log(`Node ${process.version}, ${process.platform} ${process.arch}\n`);
console.log('| what | ours | reference | unit | ratio | target | note |');
console.log('|---|---|---|---|---|---|---|');
for (const name of chosen.suites) {
  const rows = await suites[name]?.(chosen);
  if (rows !== undefined) for await (const row of rows) console.log(formatRow(row));
}
process.exit(0);

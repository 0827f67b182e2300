/* eslint-disable no-console -- prints its table */
import { benchKms } from './kms/kms.ts';
import { benchMessages } from './message.ts';
import { benchMsrp } from './msrp.ts';
import type { BenchRow } from './bench-row.ts';

const suites: Readonly<Record<string, () => Promise<readonly BenchRow[]>>> = {
  msrp: benchMsrp,
  message: benchMessages,
  kms: benchKms,
};

function formatRow(row: BenchRow): string {
  const ratio = row.reference === undefined ? '' : `${((100 * row.ours) / row.reference).toFixed(0)} %`;
  const reference = row.reference === undefined ? '' : row.reference.toFixed(1);
  return `| ${row.name} | ${row.ours.toFixed(1)} | ${reference} | ${row.unit} | ${ratio} | ${row.note ?? ''} |`;
}

const chosen = process.argv.slice(2);
console.log(`Node ${process.version}, ${process.platform} ${process.arch}\n`);
console.log('| what | ours | reference | unit | ratio | note |');
console.log('|---|---|---|---|---|---|');
for (const [name, bench] of Object.entries(suites)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  for (const row of await bench()) console.log(formatRow(row));
}
process.exit(0);

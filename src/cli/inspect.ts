import { systemClock } from '../node/system-clock.ts';
import { readInspectArguments, usage, UsageError } from './inspect/arguments.ts';
import { inspectOctets } from './inspect/inspect-octets.ts';
import { colourPaint, isWhole, plainPaint, renderItem } from './inspect/render.ts';

function main(): number {
  const now = systemClock.now();
  const given = readInspectArguments(process.argv.slice(2), now);
  if (given === 'help') {
    process.stdout.write(usage);
    return 0;
  }
  const item = inspectOctets(given.input, given.options, given.where, given.format);
  const whole = isWhole(item);
  if (given.json) {
    const report = { version: 1, now: new Date(given.options.now).toISOString(), whole, item };
    process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
  } else {
    // https://no-color.org: any value that is not empty.
    const isColoured = process.stdout.isTTY && (process.env['NO_COLOR'] ?? '') === '';
    process.stdout.write(`${renderItem(item, isColoured ? colourPaint : plainPaint).join('\n')}\n`);
  }
  return whole ? 0 : 1;
}

// Whoever reads the output may stop early, such as head.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

try {
  process.exitCode = main();
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}. --help tells what may be given.\n`);
  process.exitCode = 2;
}

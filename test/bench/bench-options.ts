import { parseArgs } from 'node:util';

/** What one run of the benchmarks measures, and how much of it. */
export interface BenchOptions {
  /** In the order in which they run. */
  readonly suites: readonly string[];
  /** Parts of the MSRP suite; all of them when empty. */
  readonly parts: readonly string[];
  /** Size of an MSRP transfer, in MiB. */
  readonly size: number;
  /** Runs of which the best counts. */
  readonly rounds: number;
  /** Sizes of the files of the memory part, in MiB. */
  readonly fileSizes: readonly number[];
  /** MSRP messages of one run, a tenth of them as single messages, and samples of a latency. */
  readonly messages: number;
  /** Messages in the store that is searched; a tenth of them in the one whose opening is measured. */
  readonly stored: number;
  /** Where the measured processes write CPU profiles, if anywhere. */
  readonly profile: string | undefined;
}

export interface BenchChoices {
  readonly suites: readonly string[];
  readonly parts: readonly string[];
}

export class BenchUsageError extends Error {}

export function benchUsage({ suites, parts }: BenchChoices): string {
  return [
    'npm run bench -- [SUITE...] [options]',
    `  SUITE            ${suites.join(', ')}; all of them by default`,
    `  --part NAME      of the msrp suite, may be given several times: ${parts.join(', ')}`,
    '  --size MIB       octets of a transfer, default 256',
    '  --rounds NUMBER  runs of which the best counts, default 3',
    '  --file-sizes MIB,...  files of the memory part, default 64,1024,4096',
    '  --messages NUMBER  messages of a run, samples of a latency and single messages times ten, default 20000',
    '  --stored NUMBER  messages in the store that is searched, a tenth of them in the one that is opened, default 1000000',
    '  --profile FOLDER  the measured processes of msrp and immediate leave CPU profiles there',
  ].join('\n');
}

/** @throws BenchUsageError for a suite, a part or an option that does not exist, and for a number that is none. */
export function readBenchOptions(args: readonly string[], choices: BenchChoices): BenchOptions {
  const { values, positionals } = parse(args);
  const parts = values.part ?? [];
  for (const name of positionals) known(name, choices.suites, 'suite');
  for (const name of parts) known(name, choices.parts, 'part');
  if (parts.length > 0 && positionals.some((name) => name !== 'msrp')) {
    throw new BenchUsageError('--part belongs to the msrp suite alone');
  }
  const [size, rounds, messages] = [
    positive('size', values.size),
    positive('rounds', values.rounds),
    positive('messages', values.messages),
  ];
  return {
    suites: positionals.length > 0 ? positionals : parts.length > 0 ? ['msrp'] : choices.suites,
    parts,
    size,
    rounds,
    messages,
    stored: positive('stored', values.stored),
    fileSizes: values['file-sizes'].split(',').map((text) => positive('file-sizes', text)),
    profile: values.profile,
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        part: { type: 'string', multiple: true },
        size: { type: 'string', default: '256' },
        rounds: { type: 'string', default: '3' },
        'file-sizes': { type: 'string', default: '64,1024,4096' },
        messages: { type: 'string', default: '20000' },
        stored: { type: 'string', default: '1000000' },
        profile: { type: 'string' },
      },
    });
  } catch (error) {
    throw new BenchUsageError(error instanceof Error ? error.message : String(error));
  }
}

function known(name: string, names: readonly string[], what: string): void {
  if (!names.includes(name)) throw new BenchUsageError(`no ${what} is called ${name}`);
}

function positive(name: string, text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new BenchUsageError(`--${name} takes a whole number from 1 on`);
  return Number(text);
}

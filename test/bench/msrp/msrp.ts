import type { BenchOptions } from '../bench-options.ts';
import type { BenchRow } from '../bench-row.ts';
import { benchFraming } from './framing.ts';
import { PeerPair, type PairFigures, type PairOptions } from './peer-pair.ts';
import { fingerprintProtection, protectionsToMeasure, type NamedProtection } from './protections.ts';
import type { ScenarioSettings, SentFile } from './scenario.ts';
import { makeSparseFile } from './sparse-file.ts';

const mebibyte = 1024 * 1024;
const gibibyte = 1024 * mebibyte;
/** Part of the work that is done once before anything is measured. */
const warmUpShare = 0.125;

const parts: Readonly<Record<string, (options: BenchOptions) => AsyncIterable<BenchRow>>> = {
  throughput,
  files,
  memory,
  messages,
  latency,
  sessions,
  framing,
};

export const msrpParts: readonly string[] = Object.keys(parts);

/** MSRP between two processes on a core each, over loopback, beside the bare sockets that do the same. */
export async function* benchMsrp(options: BenchOptions): AsyncGenerator<BenchRow> {
  for (const [name, measure] of Object.entries(parts)) {
    if (options.parts.length === 0 || options.parts.includes(name)) yield* measure(options);
  }
}

interface Measured {
  readonly best: PairFigures;
  /** The least of each figure over all runs would mix runs; this is the peak of all. */
  readonly peakMebibytes: number;
  readonly description: string;
}

async function measure(
  { profile }: BenchOptions,
  stack: PairOptions['stack'],
  { protections }: NamedProtection,
  settings: ScenarioSettings,
  { rounds, connections = 1, warmUp = warmUpShare }: { rounds: number; connections?: number; warmUp?: number },
): Promise<Measured> {
  const pair = await PeerPair.open({ stack, protections, connections, settings, profile });
  if (warmUp > 0) await pair.run(warmUp);
  let best: PairFigures | undefined;
  let peakMebibytes = 0;
  for (let round = 0; round < rounds; round++) {
    const figures = await pair.run();
    peakMebibytes = Math.max(peakMebibytes, figures.peakMebibytes);
    if (best === undefined || figures.seconds < best.seconds) best = figures;
  }
  await pair.close();
  if (best === undefined) throw new Error('no run');
  return { best, peakMebibytes, description: pair.description };
}

function transferRows(
  name: string,
  octets: number,
  [ours, bare]: readonly [Measured, Measured],
  hasTarget: boolean,
): BenchRow[] {
  const rate = ({ best }: Measured): number => octets / mebibyte / best.seconds;
  const cpu = ({ best }: Measured): number => (best.cpuSeconds * gibibyte) / octets;
  const note = ours.description === bare.description ? ours.description : `${ours.description}, ${bare.description}`;
  const common = { note: `reference: bare sockets; ${note}` };
  const isMet = rate(ours) >= 0.8 * rate(bare);
  return [
    {
      name,
      ours: rate(ours),
      reference: rate(bare),
      unit: 'MiB/s',
      ...common,
      ...(hasTarget ? { target: { text: '80 %', isMet } } : {}),
    },
    { name: `${name}: processor time`, ours: cpu(ours), reference: cpu(bare), unit: 's a GiB, both ends', ...common },
  ];
}

async function* throughput(options: BenchOptions): AsyncGenerator<BenchRow> {
  const octets = options.size * mebibyte;
  const settings = { kind: 'transfer', octets } as const;
  for (const protection of await protectionsToMeasure()) {
    const ours = await measure(options, 'msrp', protection, settings, { rounds: options.rounds });
    const bare = await measure(options, 'bare', protection, settings, { rounds: options.rounds });
    const hasTarget = protection.name !== 'plain TCP';
    yield* transferRows(`${options.size} MiB of memory, ${protection.name}`, octets, [ours, bare], hasTarget);
  }
}

/** Runs with a sparse file, or gives a row that says why there is none. */
async function withFile<Result>(size: number, run: (file: SentFile) => Promise<Result>): Promise<Result> {
  const made = await makeSparseFile(size * mebibyte);
  if (typeof made === 'string') throw new Error(`a file of ${size} MiB cannot be made: ${made}`);
  try {
    return await run(made.file);
  } finally {
    await made.remove();
  }
}

async function* files(options: BenchOptions): AsyncGenerator<BenchRow> {
  const octets = options.size * mebibyte;
  const rounds = options.rounds;
  for (const protection of await protectionsToMeasure()) {
    const both = await withFile(options.size, async (file) => {
      const settings = { kind: 'transfer', octets, file } as const;
      const ours = await measure(options, 'msrp', protection, settings, { rounds });
      return [ours, await measure(options, 'bare', protection, settings, { rounds })] as const;
    });
    yield* transferRows(`file of ${options.size} MiB, stored and hashed, ${protection.name}`, octets, both, true);
  }
}

/** Each size in processes of its own, that have done nothing before but shake hands. */
async function* memory(options: BenchOptions): AsyncGenerator<BenchRow> {
  const protection = await fingerprintProtection();
  for (const size of options.fileSizes) {
    const [ours, bare] = await withFile(size, async (file) => {
      const settings = { kind: 'transfer', octets: size * mebibyte, file } as const;
      const once = { rounds: 1, warmUp: 0 };
      const mine = await measure(options, 'msrp', protection, settings, once);
      return [mine, await measure(options, 'bare', protection, settings, once)] as const;
    });
    yield {
      name: `peak memory above idle, file of ${size} MiB`,
      ours: ours.peakMebibytes,
      reference: bare.peakMebibytes,
      unit: 'MiB resident',
      note: 'the end that needs more; reference: bare sockets, the same file',
      target: { text: 'at most 64 MiB', isMet: ours.peakMebibytes <= 64 },
    };
  }
}

async function messageRow(
  options: BenchOptions,
  name: string,
  protection: NamedProtection,
  { sessions: count, connections, window }: { sessions: number; connections: number; window: number },
): Promise<BenchRow> {
  const settings = { kind: 'messages', count: options.messages, sessions: count, window } as const;
  const rate = async (stack: PairOptions['stack']): Promise<number> => {
    const { best } = await measure(options, stack, protection, settings, { rounds: options.rounds, connections });
    return (best.run['count'] ?? 0) / best.seconds;
  };
  const ours = await rate('msrp');
  const note = 'reference: 200 octets and an answer of 100 over bare sockets';
  return { name, ours, reference: await rate('bare'), unit: 'messages/s', note };
}

async function* messages(options: BenchOptions): AsyncGenerator<BenchRow> {
  for (const protection of await protectionsToMeasure()) {
    const name = `messages of 200 octets, 64 on their way, ${protection.name}`;
    yield await messageRow(options, name, protection, { sessions: 1, connections: 1, window: 64 });
  }
}

async function* sessions(options: BenchOptions): AsyncGenerator<BenchRow> {
  const protection = await fingerprintProtection();
  for (const count of [1, 100, 1000]) {
    const connections = Math.min(count, 10);
    const name = `messages of 200 octets, ${count} sessions on ${connections} connections, 10 each on their way`;
    yield await messageRow(options, name, protection, { sessions: count, connections, window: 10 });
  }
}

async function* latency(options: BenchOptions): AsyncGenerator<BenchRow> {
  const samples = Math.max(10, Math.ceil(options.messages / 10));
  for (const protection of [await fingerprintProtection()]) {
    const run = async (stack: PairOptions['stack'], isFileRunning: boolean): Promise<PairFigures['run']> => {
      const settings = { kind: 'latency', samples, isFileRunning } as const;
      return (await measure(options, stack, protection, settings, { rounds: 1 })).best.run;
    };
    const [idle, bare, busy] = [await run('msrp', false), await run('bare', false), await run('msrp', true)];
    for (const share of ['p50', 'p99']) {
      const [ours = 0, reference = 0, underFile = 0] = [idle[share], bare[share], busy[share]];
      const unit = 'ms to the answer';
      yield { name: `${share}, idle`, ours, reference, unit, note: 'reference: bare sockets' };
      yield {
        name: `${share}, a file running in the session`,
        ours: underFile,
        reference: ours,
        unit,
        note: 'reference: idle',
        ...(share === 'p99' ? { target: { text: 'idle + 20 ms', isMet: underFile < ours + 20 } } : {}),
      };
    }
  }
}

async function* framing(options: BenchOptions): AsyncGenerator<BenchRow> {
  yield* await Promise.resolve(benchFraming((options.size * mebibyte) / 16, options.rounds));
}

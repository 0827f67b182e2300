import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { openStore } from '../../../src/node/store/open-store.ts';
import type { BenchOptions } from '../bench-options.ts';
import type { BenchRow } from '../bench-row.ts';
import { storedMessages } from '../store/stored-messages.ts';
import { canPin, startPinned } from '../support/pinned-process.ts';
import { bundleProgram } from './bundle.ts';
import type { MessageFigures, OneCoreFigures, StartFigures } from './figures.ts';

const account = 'sip:alice@ims.example.org';
const oneCoreProgram = new URL('one-core.ts', import.meta.url).pathname;
const bareProgram = new URL('bare-relay.ts', import.meta.url).pathname;
const startProgram = new URL('engine-start.ts', import.meta.url).pathname;
const core = 1;
/** Of the outbox one message of a conversation is on its way at a time: so many are, together. */
const conversations = 32;
const bareTimes = 10;
const targetPerSecond = 500;
const startTargetMilliseconds = 1_000;
const batch = 10_000;
const names = { e2e: 'protected end to end', e2ae: 'protected to the edge' } as const;

/** Single messages through a whole network on one core, beside the same octets over TLS alone; and how long an engine takes to start. */
export async function* benchImmediate(options: BenchOptions): AsyncIterable<BenchRow> {
  yield* measureMessages(options);
  yield* measureStart(options);
}

async function* measureMessages({ messages, rounds, profile }: BenchOptions): AsyncIterable<BenchRow> {
  const count = Math.ceil(messages / 10);
  const flags = profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profile];
  const runs: OneCoreFigures[] = [];
  for (let round = 0; round < rounds; round++) {
    runs.push(await figuresOf<OneCoreFigures>([...flags, oneCoreProgram, String(conversations), String(count)]));
  }
  for (const level of ['e2e', 'e2ae'] as const) {
    const best = bestOf(runs.map((run) => run[level]));
    const octets = best.octets;
    const bare: MessageFigures[] = [];
    for (let round = 0; round < rounds; round++) {
      const sizes = [octets, conversations, count * bareTimes].map(String);
      bare.push(await figuresOf<MessageFigures>([bareProgram, ...sizes]));
    }
    const reference = bestOf(bare);
    const note = `${conversations} conversations, ${octets} octets each; reference: as many octets and a small answer over node:tls`;
    yield {
      name: `MESSAGE ${names[level]}, sent, passed on, received, stored`,
      ours: best.perSecond,
      reference: reference.perSecond,
      unit: canPin ? 'messages/s on one core' : 'messages/s',
      note,
      ...(level === 'e2e'
        ? { target: { text: `>= ${targetPerSecond}`, isMet: best.perSecond >= targetPerSecond } }
        : {}),
    };
    yield {
      name: `MESSAGE ${names[level]}, processor time of all that takes part`,
      ours: Math.min(...runs.map((run) => run[level].cpuMilliseconds)),
      reference: Math.min(...bare.map(({ cpuMilliseconds }) => cpuMilliseconds)),
      unit: 'ms/message',
    };
  }
}

async function* measureStart({ stored, rounds }: BenchOptions): AsyncIterable<BenchRow> {
  const count = Math.ceil(stored / 10);
  const folder = await mkdtemp(join(tmpdir(), 'bench-start-'));
  try {
    await fill(folder, count);
    const start = async (path: string): Promise<StartFigures> => figuresOf<StartFigures>([path, folder, account]);
    const bundled = await bundleProgram(startProgram, 'engine-start');
    const runs: StartFigures[] = [];
    const unbundled: number[] = [];
    for (let round = 0; round < rounds; round++) {
      runs.push(await start(bundled));
      unbundled.push((await start(startProgram)).process);
    }
    const best = Math.min(...runs.map((run) => run.process));
    yield {
      name: `engine, start of the process to the list and a first page, ${count} messages`,
      ours: best,
      unit: 'ms',
      note: `${runs[0]?.conversations ?? 0} conversations; one bundle as in the desktop app; Node, encrypted store, engine, account`,
      target: { text: `< ${startTargetMilliseconds} ms`, isMet: best < startTargetMilliseconds },
    };
    yield {
      name: `engine, the same from modules in TypeScript, ${count} messages`,
      ours: Math.min(...unbundled),
      unit: 'ms',
    };
    yield {
      name: `engine, from the open store to the list and a first page, ${count} messages`,
      ours: Math.min(...runs.map((run) => run.engine)),
      unit: 'ms',
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** With the key that `engine-start.ts` uses. */
async function fill(folder: string, count: number): Promise<void> {
  const { store } = await openStore({ folder, key: new SecretBytes(new Uint8Array(32).fill(1)) });
  const { messages } = store.account(account);
  let added = 0;
  for (const message of storedMessages(count)) {
    messages.add(message);
    if (++added % batch === 0) await store.durable();
  }
  await store.close();
}

/** A program that prints its figures as one line of JSON. */
async function figuresOf<Figures>(args: readonly string[]): Promise<Figures> {
  const { firstLine, child } = await startPinned(core, process.execPath, args);
  if (child.exitCode === null) await new Promise((resolve) => child.once('exit', resolve));
  return JSON.parse(firstLine) as Figures;
}

function bestOf<Figures extends MessageFigures>(runs: readonly Figures[]): Figures {
  const [best] = [...runs].sort((one, other) => other.perSecond - one.perSecond);
  if (best === undefined) throw new Error('nothing was measured');
  return best;
}

import { Worker } from 'node:worker_threads';

import { toHex } from '../../src/base/bytes.ts';
import { inputOf } from './input.ts';
import type { FuzzTarget } from './target.ts';
import type { FuzzJob, FuzzNews } from './worker.ts';

/** An input that breaks a promise. */
export interface FuzzFinding {
  readonly target: string;
  readonly seed: string;
  readonly index: number;
  /** Hexadecimal digits. */
  readonly input: string;
  readonly problem: string;
}

export interface TargetResult {
  readonly inputs: number;
  readonly finding: FuzzFinding | undefined;
}

/** When a run ends that finds nothing: after a number of inputs it has done the same work on every machine. */
export type FuzzBound = { readonly seconds: number } | { readonly inputs: number };

/** Only to find what hangs; the slowest right input takes a few milliseconds. */
const hangSeconds = 60;
const workerMegabytes = 512;

/** Gives inputs to one target, in a thread of its own with bounded memory, up to the bound or the first finding. */
export async function runTarget(target: FuzzTarget, seed: string, bound: FuzzBound): Promise<TargetResult> {
  const progress = new Int32Array(new SharedArrayBuffer(8));
  const inputs = 'inputs' in bound ? bound.inputs : Infinity;
  const job: FuzzJob = { target: target.name, seed, inputs, progress: progress.buffer };
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    workerData: job,
    resourceLimits: { maxOldGenerationSizeMb: workerMegabytes },
  });
  const found = (index: number, problem: string, input?: string): FuzzFinding => ({
    target: target.name,
    seed,
    index,
    input: input ?? toHex(inputOf(target, seed, index)),
    problem,
  });
  let finding: FuzzFinding | undefined;
  let seen: { readonly index: number; readonly at: number } | undefined;
  const watch = setInterval(() => {
    const index = Atomics.load(progress, 0);
    if (seen === undefined) return;
    if (index !== seen.index) {
      seen = { index, at: performance.now() };
    } else if (performance.now() - seen.at > hangSeconds * 1000) {
      finding = found(index, `hangs: the same input for more than ${hangSeconds} s`);
      void worker.terminate();
    }
  }, 1000);
  let stop: NodeJS.Timeout | undefined;
  worker.on('message', (news: FuzzNews) => {
    // Loading the code is not the target's time.
    if (news.kind === 'ready') {
      seen = { index: -1, at: performance.now() };
      if ('seconds' in bound) stop = setTimeout(() => Atomics.store(progress, 1, 1), bound.seconds * 1000);
    } else finding = found(news.index ?? 0, news.problem ?? '', news.input);
  });
  worker.on('error', (error) => (finding ??= found(Atomics.load(progress, 0), `the thread ended: ${String(error)}`)));
  await new Promise((resolve) => worker.once('exit', resolve));
  clearInterval(watch);
  clearTimeout(stop);
  return { inputs: Atomics.load(progress, 0) + 1, finding };
}

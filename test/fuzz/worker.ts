import { parentPort, workerData } from 'node:worker_threads';

import { check, inputOf } from './input.ts';
import { targets } from './targets/index.ts';
import { toHex } from '../../src/base/bytes.ts';

/** What the runner gives to a worker. */
export interface FuzzJob {
  readonly target: string;
  readonly seed: string;
  /** How many inputs at most. */
  readonly inputs: number;
  /** Number of the input in work: the runner sees by it that a worker stands still. */
  readonly progress: SharedArrayBuffer;
}

/** What a worker tells. */
export interface FuzzNews {
  readonly kind: 'ready' | 'finding';
  readonly index?: number;
  readonly input?: string;
  readonly problem?: string;
}

const job = workerData as FuzzJob;
const progress = new Int32Array(job.progress);
const port = parentPort;
const target = targets.find(({ name }) => name === job.target);
if (port === null || target === undefined) throw new Error('started by the fuzz runner only');

port.postMessage({ kind: 'ready' } satisfies FuzzNews);
for (let index = 0; index < job.inputs && Atomics.load(progress, 1) === 0; index++) {
  Atomics.store(progress, 0, index);
  const input = inputOf(target, job.seed, index);
  try {
    await check(target, job.seed, index, input);
  } catch (error) {
    // A finding is kept in the tree: where this checkout lies says nothing there.
    const problem = (error instanceof Error ? (error.stack ?? error.message) : String(error)).replaceAll(
      new URL('../../', import.meta.url).href,
      '',
    );
    port.postMessage({ kind: 'finding', index, input: toHex(input), problem } satisfies FuzzNews);
    break;
  }
}
port.close();

import { FuzzRandom } from './fuzz-random.ts';
import { mutated } from './mutate.ts';
import type { FuzzTarget } from './target.ts';

/** Input number `index` of a run: made from target, seed and number alone. */
export function inputOf(target: FuzzTarget, seed: string, index: number): Uint8Array {
  const random = new FuzzRandom(seed, target.name, index, 'input');
  return target.make?.(random) ?? mutated(random, target);
}

/** Gives an input to its target, with the further choices that the run made. */
export async function check(target: FuzzTarget, seed: string, index: number, input: Uint8Array): Promise<void> {
  await target.check(input, new FuzzRandom(seed, target.name, index, 'check'));
}

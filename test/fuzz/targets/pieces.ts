import type { FuzzRandom } from '../fuzz-random.ts';

/** The same octets in pieces of random length. */
export function pieces(input: Uint8Array, random: FuzzRandom): Uint8Array[] {
  const out: Uint8Array[] = [];
  const longest = random.pick([1, 3, 17, 200, 5000]);
  for (let at = 0; at < input.length;) {
    const end = Math.min(input.length, at + 1 + random.below(longest));
    out.push(input.subarray(at, end));
    at = end;
  }
  return out;
}

import type { Random } from '../../base/random.ts';

const firstMilliseconds = 1_000;
const longestMilliseconds = 60_000;

/** Growing pauses between attempts, each between half and all of 1, 2, 4, ... 60 s, so that clients do not return together. */
export class BackOff {
  readonly #random: Random;
  #attempts = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  next(): number {
    const ceiling = Math.min(longestMilliseconds, firstMilliseconds * 2 ** Math.min(this.#attempts++, 10));
    const [octet = 0] = this.#random.bytes(1);
    return Math.round(ceiling * (0.5 + octet / 510));
  }

  reset(): void {
    this.#attempts = 0;
  }
}

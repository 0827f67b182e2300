import { randomU32, type Random } from '../../base/random.ts';
import { limits } from '../limits.ts';

/**
 * Pauses between attempts: anything between nothing and a bound that doubles with each, so that the clients of a server that
 * comes back spread evenly instead of meeting again ("full jitter").
 */
export class FullJitter {
  readonly #random: Random;
  #attempts = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Milliseconds until the next attempt. */
  next(): number {
    const { kmsBackOffFirstMilliseconds: first, kmsBackOffLongestMilliseconds: longest } = limits;
    const bound = Math.min(longest, first * 2 ** Math.min(this.#attempts++, 16));
    return Math.max(limits.kmsBackOffLeastMilliseconds, randomBelow(this.#random, bound));
  }

  reset(): void {
    this.#attempts = 0;
  }
}

/** Evenly between 0 and `bound`, whole numbers. */
export function randomBelow(random: Random, bound: number): number {
  return Math.floor((randomU32(random) / 2 ** 32) * bound);
}

import { utf8 } from '../../src/base/bytes.ts';
import { sha256 } from '../../src/crypto/digest.ts';

/** Numbers that look random and are the same for the same seed: xoshiro128**, seeded by SHA-256. */
export class FuzzRandom {
  readonly #state: Uint32Array;

  constructor(...seed: readonly (string | number)[]) {
    const digest = sha256(utf8(seed.join('/')));
    this.#state = new Uint32Array(digest.buffer, 0, 4);
  }

  #next(): number {
    const [a = 0, b = 0, c = 0, d = 0] = this.#state;
    const product = Math.imul(b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const mixedC = c ^ a;
    const mixedD = d ^ b;
    this.#state[0] = a ^ mixedD;
    this.#state[1] = b ^ mixedC;
    this.#state[2] = mixedC ^ (b << 9);
    this.#state[3] = (mixedD << 11) | (mixedD >>> 21);
    return result;
  }

  /** A whole number from 0 to `limit - 1`. */
  below(limit: number): number {
    return limit <= 1 ? 0 : this.#next() % limit;
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }

  pick<T>(list: readonly T[]): T {
    const item = list[this.below(list.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.#next() & 0xff);
  }
}

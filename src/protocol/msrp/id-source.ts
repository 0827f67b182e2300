import { toHex } from '../../base/bytes.ts';
import type { Random } from '../../base/random.ts';

/**
 * RFC 4975 section 7.1: a transaction id "MUST contain at least 64 bits of randomness". In hexadecimal this gives the
 * longest that section 9 allows, 32 characters: the longer an end-line, the faster it is searched for.
 */
const idOctets = 16;
const idsAtOnce = 64;

/** Makes transaction and message ids; draws the randomness of many at once, as every chunk needs one. */
export class IdSource {
  readonly #random: Random;
  #digits = '';

  constructor(random: Random) {
    this.#random = random;
  }

  next(): string {
    if (this.#digits === '') this.#digits = toHex(this.#random.bytes(idOctets * idsAtOnce));
    const id = this.#digits.slice(0, 2 * idOctets);
    this.#digits = this.#digits.slice(2 * idOctets);
    return id;
  }
}

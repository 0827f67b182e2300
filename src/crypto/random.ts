import { randomBytes } from 'node:crypto';

import type { Random } from '../base/random.ts';

const poolOctets = 4096;
let pool: Uint8Array = new Uint8Array();
let taken = 0;

/**
 * The operating system's generator. A call of it costs microseconds whatever the length, so octets are fetched in
 * advance; each is given out once, and none of those given out stays behind.
 */
export const secureRandom: Random = {
  bytes: (length) => {
    if (length > poolOctets) return Uint8Array.from(randomBytes(length));
    if (taken + length > pool.length) {
      pool = Uint8Array.from(randomBytes(poolOctets));
      taken = 0;
    }
    const given = pool.slice(taken, taken + length);
    pool.fill(0, taken, taken + length);
    taken += length;
    return given;
  },
};

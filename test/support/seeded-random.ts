import type { Random } from '../../src/base/random.ts';
import { sha256 } from '../../src/crypto/digest.ts';
import { concatBytes, utf8 } from '../../src/base/bytes.ts';

/** Octets that look random and are the same in every run with the same seed. */
export function seededRandom(seed = 'seed'): Random {
  let counter = 0;
  return {
    bytes: (length) => {
      const blocks: Uint8Array[] = [];
      for (let have = 0; have < length; have += 32) blocks.push(sha256(utf8(`${seed}/${counter++}`)));
      return concatBytes(...blocks).slice(0, length);
    },
  };
}

import { concatBytes } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { SecretBytes } from '../../base/secret-bytes.ts';
import { aesBlockCipher } from '../../crypto/aes.ts';
import { requireOctets, xor } from './octets.ts';

/** What a subscriber and the home network share: both values have 16 octets. */
export interface MilenageKeys {
  /** Subscriber key K. */
  readonly k: SecretBytes;
  /** OP of the operator, bound to K (TS 35.206 clause 8.2). */
  readonly opc: SecretBytes;
}

/** c1 to c5 (16 octets each) and r1 to r5 (bits, 0 to 127) of TS 35.206 clause 4.1. */
export interface MilenageConstants {
  readonly c: readonly [Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array];
  readonly r: readonly [number, number, number, number, number];
}

/** Authentication codes of f1 and f1*: 8 octets each. */
export interface MilenageCodes {
  /** MAC-A: the home network to the USIM. */
  readonly macA: Uint8Array;
  /** MAC-S: the USIM to the home network, in a resynchronisation. */
  readonly macS: Uint8Array;
}

/** Outputs of f2 to f5. */
export interface MilenageResponse {
  /** RES of f2: 8 octets. */
  readonly res: SecretBytes;
  /** CK of f3: 16 octets. */
  readonly ck: SecretBytes;
  /** IK of f4: 16 octets. */
  readonly ik: SecretBytes;
  /** AK of f5, which hides the sequence number: 6 octets. */
  readonly ak: Uint8Array;
}

/** A constant whose last octet alone is not zero. */
const constant = (last: number): Uint8Array => {
  const octets = new Uint8Array(16);
  octets[15] = last;
  return octets;
};

/** TS 35.206 clause 4.1: what every network uses that has no reason to choose its own. */
export const standardConstants: MilenageConstants = {
  c: [constant(0), constant(1), constant(2), constant(4), constant(8)],
  r: [64, 0, 32, 64, 96],
};

/** OPc = OP XOR E[OP]K (TS 35.206 clause 8.2). OP is one value for all subscribers: it is best not kept where UEs are. */
export function computeOpc(k: SecretBytes, op: SecretBytes): SecretBytes {
  return k.use((key) =>
    op.use((operator) => {
      requireOctets(key, 16, 'milenage.k', 'local');
      requireOctets(operator, 16, 'milenage.op', 'local');
      return new SecretBytes(xor(operator, aesBlockCipher(key)(operator)));
    }),
  );
}

/** The authentication and key generation functions f1, f1*, f2 to f5 and f5* of TS 35.206. */
export class Milenage {
  readonly #keys: MilenageKeys;
  readonly #constants: MilenageConstants;

  /** @throws ProtocolError `local` for a key or a constant of another size. The keys stay the caller's, who disposes them. */
  constructor(keys: MilenageKeys, constants: MilenageConstants = standardConstants) {
    keys.k.use((k) => requireOctets(k, 16, 'milenage.k', 'local'));
    keys.opc.use((opc) => requireOctets(opc, 16, 'milenage.opc', 'local'));
    for (const octets of constants.c) requireOctets(octets, 16, 'milenage.c', 'local');
    for (const bits of constants.r) {
      if (!Number.isInteger(bits) || bits < 0 || bits > 127) {
        throw new ProtocolError('local', 'not a rotation', { field: 'milenage.r', expected: '0 to 127 bits' });
      }
    }
    this.#keys = keys;
    this.#constants = constants;
  }

  /** f1 and f1*. @param rand 16 octets @param sqn 6 octets @param amf 2 octets */
  f1(rand: Uint8Array, sqn: Uint8Array, amf: Uint8Array): MilenageCodes {
    requireOctets(sqn, 6, 'milenage.sqn');
    requireOctets(amf, 2, 'milenage.amf');
    const half = concatBytes(sqn, amf);
    const out = this.#withKeys(rand, (encipher, opc, temp) => {
      const { c, r } = this.#constants;
      const rotated = rotateLeft(xor(concatBytes(half, half), opc), r[0]);
      return xor(encipher(xor(xor(temp, rotated), c[0])), opc);
    });
    return { macA: out.slice(0, 8), macS: out.slice(8) };
  }

  /** f2 to f5 in one go. @param rand 16 octets */
  f2345(rand: Uint8Array): MilenageResponse {
    return this.#withKeys(rand, (encipher, opc, temp) => {
      const out = (index: 1 | 2 | 3): Uint8Array => this.#out(encipher, opc, temp, index);
      const second = out(1);
      const response = {
        res: new SecretBytes(second.subarray(8)),
        ck: new SecretBytes(out(2)),
        ik: new SecretBytes(out(3)),
        ak: second.slice(0, 6),
      };
      second.fill(0);
      return response;
    });
  }

  /** AK of f5*, 6 octets: hides the sequence number in a resynchronisation. @param rand 16 octets */
  f5Star(rand: Uint8Array): Uint8Array {
    return this.#withKeys(rand, (encipher, opc, temp) => this.#out(encipher, opc, temp, 4).slice(0, 6));
  }

  #out(encipher: (block: Uint8Array) => Uint8Array, opc: Uint8Array, temp: Uint8Array, index: 1 | 2 | 3 | 4) {
    const { c, r } = this.#constants;
    return xor(encipher(xor(rotateLeft(xor(temp, opc), r[index]), c[index])), opc);
  }

  /** TEMP = E[RAND XOR OPc]K, of which every function starts. */
  #withKeys<T>(
    rand: Uint8Array,
    action: (encipher: (block: Uint8Array) => Uint8Array, opc: Uint8Array, temp: Uint8Array) => T,
  ): T {
    requireOctets(rand, 16, 'milenage.rand');
    const { k, opc } = this.#keys;
    return k.use((key) =>
      opc.use((bound) => {
        const encipher = aesBlockCipher(key);
        return action(encipher, bound, encipher(xor(rand, bound)));
      }),
    );
  }
}

/** The 128 bits of `block` rotated towards their most significant end (TS 35.206 clause 3.2). */
function rotateLeft(block: Uint8Array, bits: number): Uint8Array {
  const octets = Math.floor(bits / 8);
  const rest = bits % 8;
  return block.map((_, index) => {
    const high = block[(index + octets) % 16] ?? 0;
    const low = block[(index + octets + 1) % 16] ?? 0;
    return ((high << rest) | (low >> (8 - rest))) & 0xff;
  });
}

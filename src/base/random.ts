import { toHex } from './bytes.ts';

/** A source of cryptographically strong octets; the real one is in src/crypto. */
export interface Random {
  bytes(length: number): Uint8Array;
}

/** A fresh identifier with 8 random bits per octet: tags, branches, Call-IDs, MSRP transactions take at least 8 octets. */
export function randomId(random: Random, octets = 8): string {
  return toHex(random.bytes(octets));
}

/** An unsigned 32-bit integer, for CSB IDs. */
export function randomU32(random: Random): number {
  return random.bytes(4).reduce((value, octet) => value * 256 + octet, 0);
}

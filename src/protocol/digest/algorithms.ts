import { md5, sha256, sha512Half } from '../../crypto/digest.ts';
import type { AkaDigestAlgorithm } from '../gba/index.ts';

export type PasswordAlgorithm = 'MD5' | 'MD5-sess' | 'SHA-256' | 'SHA-256-sess' | 'SHA-512-256' | 'SHA-512-256-sess';
export type DigestAlgorithm = PasswordAlgorithm | AkaDigestAlgorithm;

/** What an account with a password answers (RFC 7616 clause 6.1, RFC 8760 clause 2.7). */
export const passwordAlgorithms: readonly PasswordAlgorithm[] = [
  'SHA-512-256',
  'SHA-512-256-sess',
  'SHA-256',
  'SHA-256-sess',
  'MD5',
  'MD5-sess',
];

/** What an account with a SIM answers. */
export const akaAlgorithms: readonly AkaDigestAlgorithm[] = ['AKAv2-SHA-256', 'AKAv2-MD5', 'AKAv1-MD5'];

/**
 * How much an algorithm resists: the hash decides, then the version of AKA (RFC 4169 clause 4.1 wants version 2 where both are
 * offered). SHA-256 and SHA-512/256 give 256 bits each and count alike, as do the session variants and their plain forms.
 */
export function strength(algorithm: DigestAlgorithm): number {
  if (algorithm === 'AKAv1-MD5') return 0;
  if (algorithm === 'AKAv2-MD5') return 1;
  return algorithm.startsWith('MD5') ? 0 : 2;
}

/** Whether `algorithm` rests on a weaker hash, or an older version of AKA, than `other`. */
export function isWeaker(algorithm: DigestAlgorithm, other: DigestAlgorithm): boolean {
  return strength(algorithm) < strength(other);
}

/** RFC 7616 clause 3.4.2: the key of such a variant is bound to the nonce and client nonce of its session. */
export function isSession(algorithm: DigestAlgorithm): boolean {
  return algorithm.endsWith('-sess');
}

/** The hash H of the algorithm. */
export function hashOf(algorithm: DigestAlgorithm): (bytes: Uint8Array) => Uint8Array {
  if (algorithm.startsWith('SHA-512-256')) return sha512Half;
  return algorithm.includes('SHA-256') ? sha256 : md5;
}

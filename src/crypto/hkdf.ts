import { utf8 } from '../base/bytes.ts';
import { ProtocolError } from '../base/errors.ts';
import { SecretBytes } from '../base/secret-bytes.ts';
import { hmacSha256 } from './digest.ts';

/**
 * HKDF with SHA-256 (RFC 5869), for one key of up to 32 octets: extract, then the first block of expand.
 * @param info what the key is for: another text gives another key
 */
export function hkdfSha256(key: Uint8Array, salt: Uint8Array, info: Uint8Array, octets = 32): Uint8Array {
  if (octets < 1 || octets > 32) {
    throw new ProtocolError('local', 'not a length', { field: 'hkdf.length', expected: '1 to 32 octets' });
  }
  const pseudorandom = hmacSha256(salt.length === 0 ? new Uint8Array(32) : salt, key);
  const block = hmacSha256(pseudorandom, info, Uint8Array.of(1));
  pseudorandom.fill(0);
  return block.slice(0, octets);
}

/** A key of 32 octets for one purpose, from another key. */
export function deriveKey(key: SecretBytes, purpose: string): SecretBytes {
  const octets = key.use((lent) => hkdfSha256(lent, new Uint8Array(), utf8(purpose)));
  const derived = new SecretBytes(octets);
  octets.fill(0);
  return derived;
}

import { createHash, createHmac, createSecretKey, hash } from 'node:crypto';

type HashName = 'md5' | 'sha1' | 'sha256' | 'sha384' | 'sha512' | 'sha512-256';

const digest = (name: HashName, bytes: Uint8Array): Uint8Array =>
  // In one call: a running hash costs several times as much for what is short.
  Uint8Array.from(hash(name, bytes, 'buffer'));

/** 16 octets. For SIP Digest with servers that know nothing better (RFC 7616); never for a signature. */
export const md5 = (bytes: Uint8Array): Uint8Array => digest('md5', bytes);
/** 20 octets. */
export const sha1 = (bytes: Uint8Array): Uint8Array => digest('sha1', bytes);
/** 32 octets. */
export const sha256 = (bytes: Uint8Array): Uint8Array => digest('sha256', bytes);
/** 48 octets. */
export const sha384 = (bytes: Uint8Array): Uint8Array => digest('sha384', bytes);
/** 64 octets. */
export const sha512 = (bytes: Uint8Array): Uint8Array => digest('sha512', bytes);
/** 32 octets: SHA-512/256 of FIPS 180-4, which is not SHA-512 cut short. */
export const sha512Half = (bytes: Uint8Array): Uint8Array => digest('sha512-256', bytes);

/** Makes the HMAC of the concatenation of its arguments under one key. */
export type KeyedHmac = (...parts: readonly Uint8Array[]) => Uint8Array;

function keyed(name: HashName, key: Uint8Array): KeyedHmac {
  // Node takes several times as long for a key in plain octets as for a key object.
  const object = createSecretKey(key);
  return (...parts) => {
    const state = createHmac(name, object);
    for (const part of parts) state.update(part);
    return Uint8Array.from(state.digest());
  };
}

/** HMAC-SHA-1 (RFC 2104) under a key that is used more than once. */
export const keyedHmacSha1 = (key: Uint8Array): KeyedHmac => keyed('sha1', key);
/** HMAC-SHA-256 (RFC 2104) under a key that is used more than once. */
export const keyedHmacSha256 = (key: Uint8Array): KeyedHmac => keyed('sha256', key);

/** HMAC-MD5 (RFC 2104) over the concatenation of `parts`: 16 octets. For AKAv2-MD5 (RFC 4169), nothing else. */
export const hmacMd5 = (key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array => keyed('md5', key)(...parts);
/** HMAC-SHA-1 (RFC 2104) over the concatenation of `parts`: 20 octets. */
export const hmacSha1 = (key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array => keyed('sha1', key)(...parts);
/** HMAC-SHA-256 (RFC 2104) over the concatenation of `parts`: 32 octets. */
export const hmacSha256 = (key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array =>
  keyed('sha256', key)(...parts);

/** A digest over octets that come piece by piece. */
export interface RunningDigest {
  update(bytes: Uint8Array): void;
  /** Ends it; may be called once. */
  finish(): Uint8Array;
}

/** SHA-1 or SHA-2 over a stream. */
export function startDigest(name: 'sha1' | 'sha256' | 'sha384' | 'sha512'): RunningDigest {
  const state = createHash(name);
  return {
    update: (bytes) => void state.update(bytes),
    finish: () => Uint8Array.from(state.digest()),
  };
}

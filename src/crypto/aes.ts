import { createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto';

import { aeskw } from '@noble/ciphers/aes.js';

import { ProtocolError } from '../base/errors.ts';
import { constantTimeEqual } from './constant-time.ts';

// Electron's BoringSSL knows the ECB, CTR and GCM modes below, but neither id-aes*-wrap nor CCM.

const gcmTagOctets = 16;
const semiblockOctets = 8;

function aesBits(key: Uint8Array): 128 | 192 | 256 {
  const bits = key.length * 8;
  if (bits !== 128 && bits !== 192 && bits !== 256) {
    throw new ProtocolError('local', 'not an AES key', { field: 'aes.key', expected: '16, 24 or 32 octets' });
  }
  return bits;
}

const joined = (first: Uint8Array, second: Uint8Array): Uint8Array => Uint8Array.from(Buffer.concat([first, second]));

/**
 * Enciphers or deciphers in counter mode.
 * @param iv the first counter block, 16 octets.
 */
export function aesCtr(key: Uint8Array, iv: Uint8Array, data: Uint8Array): Uint8Array {
  if (iv.length !== 16)
    throw new ProtocolError('local', 'not a counter block', { field: 'aes.iv', expected: '16 octets' });
  const cipher = createCipheriv(`aes-${aesBits(key)}-ctr`, createSecretKey(key), iv);
  return joined(cipher.update(data), cipher.final());
}

/** Enciphers one block of 16 octets at a time under one key: for constructions such as Milenage, never for data. */
export function aesBlockCipher(key: Uint8Array): (block: Uint8Array) => Uint8Array {
  const cipher = createCipheriv(`aes-${aesBits(key)}-ecb`, createSecretKey(key), null).setAutoPadding(false);
  return (block) => {
    if (block.length !== 16) {
      throw new ProtocolError('local', 'not a block', { field: 'aes.block', expected: '16 octets' });
    }
    return Uint8Array.from(cipher.update(block));
  };
}

export interface SealedData {
  readonly ciphertext: Uint8Array;
  /** 16 octets. */
  readonly tag: Uint8Array;
}

/** AES-GCM with a 128-bit tag. A nonce (12 octets) must never meet the same key twice. */
export function aesGcmSeal(
  key: Uint8Array,
  nonce: Uint8Array,
  plaintext: Uint8Array,
  additionalData: Uint8Array = new Uint8Array(),
): SealedData {
  const cipher = createCipheriv(`aes-${aesBits(key)}-gcm`, createSecretKey(key), nonce, {
    authTagLength: gcmTagOctets,
  });
  cipher.setAAD(additionalData);
  const ciphertext = joined(cipher.update(plaintext), cipher.final());
  return { ciphertext, tag: Uint8Array.from(cipher.getAuthTag()) };
}

/**
 * @param tagOctets length that the tag must have; RFC 5084 3.2 allows 12 to 16.
 * @throws ProtocolError `peer-misbehaved` when the tag does not fit or has another length.
 */
export function aesGcmOpen(
  key: Uint8Array,
  nonce: Uint8Array,
  ciphertext: Uint8Array,
  tag: Uint8Array,
  additionalData: Uint8Array = new Uint8Array(),
  tagOctets = gcmTagOctets,
): Uint8Array {
  const bits = aesBits(key);
  try {
    const decipher = createDecipheriv(`aes-${bits}-gcm`, createSecretKey(key), nonce, { authTagLength: tagOctets });
    decipher.setAAD(additionalData);
    decipher.setAuthTag(tag);
    return joined(decipher.update(ciphertext), decipher.final());
  } catch {
    throw new ProtocolError('peer-misbehaved', 'authentication failed', { field: 'aesGcm.tag' });
  }
}

/** RFC 3394 2.2.1 with the standard initial value: eight octets more than `key`. */
export function aesKeyWrap(kek: Uint8Array, key: Uint8Array): Uint8Array {
  aesBits(kek);
  refuseOddLength(key, 2, 'aesKeyWrap.key');
  return aeskw(kek).encrypt(key);
}

/** @throws ProtocolError `peer-misbehaved` when the integrity check of RFC 3394 2.2.3 fails. */
export function aesKeyUnwrap(kek: Uint8Array, wrapped: Uint8Array): Uint8Array {
  aesBits(kek);
  refuseOddLength(wrapped, 3, 'aesKeyWrap.wrapped');
  try {
    return aeskw(kek).decrypt(wrapped);
  } catch {
    throw unwrapFailure();
  }
}

/** RFC 3394 with an initial value of the caller's, 8 octets: what MIKEY's AES-KW-128 needs (RFC 3830 4.2.3). */
export function aesKeyWrapWithIv(kek: Uint8Array, iv: Uint8Array, key: Uint8Array): Uint8Array {
  refuseOddLength(key, 2, 'aesKeyWrap.key');
  const cipher = createCipheriv(`aes-${aesBits(kek)}-ecb`, createSecretKey(kek), null).setAutoPadding(false);
  const blocks = key.length / semiblockOctets;
  const state = joined(checkedIv(iv), key);
  for (let step = 0; step < 6 * blocks; step++) {
    const at = (1 + (step % blocks)) * semiblockOctets;
    const out = cipher.update(joined(state.subarray(0, 8), state.subarray(at, at + 8)));
    state.set(out.subarray(8), at);
    state.set(withCounter(out.subarray(0, 8), step + 1));
  }
  return state;
}

/** @throws ProtocolError `peer-misbehaved` when `iv` does not come out again. */
export function aesKeyUnwrapWithIv(kek: Uint8Array, iv: Uint8Array, wrapped: Uint8Array): Uint8Array {
  refuseOddLength(wrapped, 3, 'aesKeyWrap.wrapped');
  const decipher = createDecipheriv(`aes-${aesBits(kek)}-ecb`, createSecretKey(kek), null).setAutoPadding(false);
  const blocks = wrapped.length / semiblockOctets - 1;
  const state = Uint8Array.from(wrapped);
  for (let step = 6 * blocks - 1; step >= 0; step--) {
    const at = (1 + (step % blocks)) * semiblockOctets;
    const out = decipher.update(joined(withCounter(state.subarray(0, 8), step + 1), state.subarray(at, at + 8)));
    state.set(out.subarray(0, 8));
    state.set(out.subarray(8), at);
  }
  if (!constantTimeEqual(state.subarray(0, 8), checkedIv(iv))) throw unwrapFailure();
  return state.slice(8);
}

/** A XOR t of RFC 3394 2.2; t stays below 2^32 for every input that fits in memory. */
function withCounter(semiblock: Uint8Array, counter: number): Uint8Array {
  const out = Uint8Array.from(semiblock);
  const view = new DataView(out.buffer);
  view.setUint32(4, (view.getUint32(4) ^ counter) >>> 0);
  return out;
}

function checkedIv(iv: Uint8Array): Uint8Array {
  if (iv.length !== semiblockOctets) {
    throw new ProtocolError('local', 'wrong initial value', { field: 'aesKeyWrap.iv', expected: '8 octets' });
  }
  return iv;
}

function refuseOddLength(data: Uint8Array, minimumBlocks: number, field: string): void {
  if (data.length % semiblockOctets !== 0 || data.length < minimumBlocks * semiblockOctets) {
    throw new ProtocolError('malformed', `${data.length} octets`, {
      field,
      expected: `a multiple of 8 octets, at least ${minimumBlocks * semiblockOctets}`,
    });
  }
}

const unwrapFailure = (): ProtocolError =>
  new ProtocolError('peer-misbehaved', 'integrity check failed', { field: 'aesKeyWrap' });

import { createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto';

import { ProtocolError } from '../base/errors.ts';
import type { SecretBytes } from '../base/secret-bytes.ts';
import { secureRandom } from './random.ts';

export const segmentNonceOctets = 12;
export const segmentTagOctets = 16;
/** What sealing adds. */
export const segmentOverhead = segmentNonceOctets + segmentTagOctets;

/** AES-256-GCM for many pieces under one key. */
export interface SegmentCipher {
  /** A fresh random nonce, the ciphertext, and the tag of 16 octets. At most 2^32 pieces under one key (SP 800-38D 8.3). */
  seal(plain: Uint8Array, additionalData: Uint8Array): Uint8Array;
  /** @throws ProtocolError `peer-misbehaved` when it is not what was sealed with this additional data. */
  open(sealed: Uint8Array, additionalData: Uint8Array): Uint8Array;
}

/** @param key 32 octets */
export function createSegmentCipher(key: SecretBytes): SegmentCipher {
  const object = key.use((octets) => createSecretKey(octets));
  return {
    seal(plain, additionalData) {
      const nonce = secureRandom.bytes(segmentNonceOctets);
      const cipher = createCipheriv('aes-256-gcm', object, nonce, { authTagLength: segmentTagOctets });
      cipher.setAAD(additionalData);
      const text = cipher.update(plain);
      const end = cipher.final();
      return Buffer.concat([nonce, text, end, cipher.getAuthTag()]);
    },
    open(sealed, additionalData) {
      if (sealed.length < segmentOverhead) throw notAuthentic();
      const end = sealed.length - segmentTagOctets;
      try {
        const nonce = sealed.subarray(0, segmentNonceOctets);
        const decipher = createDecipheriv('aes-256-gcm', object, nonce, { authTagLength: segmentTagOctets });
        decipher.setAAD(additionalData);
        decipher.setAuthTag(sealed.subarray(end));
        const plain = decipher.update(sealed.subarray(segmentNonceOctets, end));
        decipher.final();
        return plain;
      } catch {
        throw notAuthentic();
      }
    },
  };
}

function notAuthentic(): ProtocolError {
  return new ProtocolError('peer-misbehaved', 'authentication failed', { field: 'segment.tag' });
}

import {
  constants,
  createHash,
  createPrivateKey,
  createPublicKey,
  privateDecrypt,
  publicEncrypt,
  sign,
  verify,
  type KeyObject,
} from 'node:crypto';
import { utf8 } from '../base/bytes.ts';
import { ProtocolError } from '../base/errors.ts';
import type { SecretBytes } from '../base/secret-bytes.ts';
import { hmacSha256 } from './digest.ts';

/** What is hashed before it is signed. */
export type SignatureHash = 'sha1' | 'sha256';
/** RSASSA-PKCS1-v1_5 and RSASSA-PSS (RFC 8017 8). */
export type SignatureScheme = 'pkcs1' | 'pss';

const minModulusBits = 2048;
// A signature is checked before anything is known of its maker: what it may cost is bounded here.
const maxModulusBits = 4096;
const maxExponent = 2n ** 32n;
/** Two head octets, eight or more of padding and a zero stand before the data (RFC 8017 7.2.1). */
const paddingOctets = 11;
const maxDecryptedOctets = 32;

function checkRsa(key: KeyObject, field: string): number {
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  const fits =
    key.asymmetricKeyType === 'rsa' &&
    modulusLength >= minModulusBits &&
    modulusLength <= maxModulusBits &&
    publicExponent > 2n &&
    publicExponent < maxExponent;
  if (!fits) {
    throw new ProtocolError('unsupported', 'not a key that we use', {
      field,
      expected: `RSA of ${minModulusBits} to ${maxModulusBits} bits`,
    });
  }
  return Math.ceil(modulusLength / 8);
}

/** An RSA key that everybody may know. */
export class RsaPublicKey {
  readonly #key: KeyObject;
  /** Length of its signatures and of what it enciphers. */
  readonly modulusOctets: number;

  /** @throws ProtocolError `unsupported` for another kind of key and for one that is too short or too long. */
  constructor(key: KeyObject, field: string) {
    this.modulusOctets = checkRsa(key, field);
    this.#key = key;
  }

  /** RSAES-PKCS1-v1_5 (RFC 8017 7.2.1): `modulusOctets` octets, different each time. */
  encrypt(data: Uint8Array): Uint8Array {
    if (data.length > this.modulusOctets - paddingOctets) {
      throw new ProtocolError('local', 'too long for the key', {
        field: 'rsa.data',
        expected: `at most ${this.modulusOctets - paddingOctets} octets`,
      });
    }
    return Uint8Array.from(publicEncrypt({ key: this.#key, padding: constants.RSA_PKCS1_PADDING }, data));
  }

  /** Never throws: whatever is no signature of `data` by this key is false. */
  verifies(scheme: SignatureScheme, hash: SignatureHash, data: Uint8Array, signature: Uint8Array): boolean {
    if (signature.length !== this.modulusOctets) return false;
    const key =
      scheme === 'pkcs1'
        ? { key: this.#key, padding: constants.RSA_PKCS1_PADDING }
        : { key: this.#key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_AUTO };
    try {
      return verify(hash, data, key, signature);
    } catch {
      return false;
    }
  }

  /** True when `other` is the same key. */
  equals(other: RsaPublicKey): boolean {
    return this.#key.equals(other.#key);
  }
}

/** An RSA key that its owner alone knows; no form of it shows its octets. */
export class RsaPrivateKey {
  readonly #key: KeyObject;
  /** Known to the holder of the key alone; makes what a failed decryption ends in. */
  readonly #rejectionKey: Uint8Array;
  readonly publicKey: RsaPublicKey;

  /**
   * @param pkcs8 DER of PKCS #8; read here, not kept.
   * @throws ProtocolError `local` when it cannot be read, `unsupported` as for public keys.
   */
  constructor(pkcs8: SecretBytes, field: string) {
    this.#key = pkcs8.use((octets) => readPkcs8(octets, field));
    this.publicKey = new RsaPublicKey(createPublicKey(this.#key), field);
    this.#rejectionKey = pkcs8.use((octets) =>
      Uint8Array.from(createHash('sha256').update(utf8('PKCS1 implicit rejection')).update(octets).digest()),
    );
  }

  /** RSASSA-PKCS1-v1_5 or, with a salt as long as the hash, RSASSA-PSS. */
  sign(scheme: SignatureScheme, hash: SignatureHash, data: Uint8Array): Uint8Array {
    const key =
      scheme === 'pkcs1'
        ? { key: this.#key, padding: constants.RSA_PKCS1_PADDING }
        : { key: this.#key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
    return Uint8Array.from(sign(hash, data, key));
  }

  /**
   * RSAES-PKCS1-v1_5 of a key whose length both sides know. Never tells whether the padding was right (Bleichenbacher 1998):
   * when it was not, the outcome is made from the private key and the ciphertext, so that it looks like a key, and is the same one
   * for the same ciphertext. A fresh random key each time would show itself to somebody who asks twice.
   *
   * The padding is taken off here, in steps that depend on no secret, and not by the library: OpenSSL 3.2 and later reject
   * implicitly as we do, Node refuses to decipher with an older one, but BoringSSL (in Electron) throws. Raw RSA is the same in all.
   * @param length of the enciphered key, at most 32 octets.
   */
  decryptKey(ciphertext: Uint8Array, length: number): Uint8Array {
    const { modulusOctets } = this.publicKey;
    if (length > maxDecryptedOctets || length > modulusOctets - paddingOctets) {
      throw new ProtocolError('local', `${length} octets`, { field: 'rsa.length', expected: 'the length of a key' });
    }
    const rejected = hmacSha256(this.#rejectionKey, ciphertext);
    const block = this.#decryptRaw(ciphertext);
    const start = modulusOctets - length;
    let wrong = (block[0] ?? 1) | ((block[1] ?? 0) ^ 2) | (block[start - 1] ?? 1);
    for (let index = 2; index < start - 1; index++) wrong |= oneIfZero(block[index] ?? 0);
    // All ones when anything was wrong.
    const mask = -((wrong | -wrong) >>> 31);
    const key = new Uint8Array(length);
    for (let index = 0; index < length; index++) {
      key[index] = ((block[start + index] ?? 0) & ~mask) | ((rejected[index] ?? 0) & mask);
    }
    block.fill(0);
    return key;
  }

  /** A number too large for the modulus, which anybody can see, deciphers to nothing that has padding. */
  #decryptRaw(ciphertext: Uint8Array): Uint8Array {
    const { modulusOctets } = this.publicKey;
    if (ciphertext.length !== modulusOctets) return new Uint8Array(modulusOctets);
    try {
      return privateDecrypt({ key: this.#key, padding: constants.RSA_NO_PADDING }, ciphertext);
    } catch {
      return new Uint8Array(modulusOctets);
    }
  }
}

/** 1 for 0, 0 for 1 to 255, without a branch. */
function oneIfZero(octet: number): number {
  return (octet - 1) >>> 31;
}

function readPkcs8(octets: Uint8Array, field: string): KeyObject {
  try {
    const view = Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength);
    return createPrivateKey({ key: view, format: 'der', type: 'pkcs8' });
  } catch {
    // The cause could repeat octets of the key.
    throw new ProtocolError('local', 'not readable', { field, expected: 'a private key' });
  }
}

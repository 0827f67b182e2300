import { concatBytes, toHex, utf8 } from '../base/bytes.ts';
import { ProtocolError } from '../base/errors.ts';
import type { Random } from '../base/random.ts';
import { SecretBytes } from '../base/secret-bytes.ts';
import { aesGcmOpen, aesGcmSeal } from '../crypto/aes.ts';
import type { KmsStorage, StoredTpk, StoredUser } from './ports.ts';

const keyOctets = 32;
const formatVersion = 1;
const nonceOctets = 12;
const tagOctets = 16;

/** What a wrapped key is for: it opens in no other place. */
export type WrapContext = string;

export const pskContext = ({ identities, pskId }: Pick<StoredUser, 'identities' | 'pskId'>): WrapContext =>
  JSON.stringify(['psk', identities[0], pskId]);
export const tpkContext = ({ id }: Pick<StoredTpk, 'id'>): WrapContext => JSON.stringify(['tpk', toHex(id)]);
const checkContext: WrapContext = JSON.stringify(['key check']);

/** Wraps the keys of users and tickets for storage: AES-256-GCM, each wrapped key bound to what it is for. */
export class KeyEncryptionKey {
  readonly #key: SecretBytes;
  readonly #random: Random;

  /** @throws ProtocolError `local` unless the key has 32 octets. */
  constructor(key: SecretBytes, random: Random) {
    if (key.length !== keyOctets) {
      throw wrongKek(`${key.length} octets`, `${keyOctets} octets`);
    }
    this.#key = key;
    this.#random = random;
  }

  /** version(1) nonce(12) tag(16) ciphertext */
  wrap(secret: SecretBytes, context: WrapContext): Uint8Array {
    const nonce = this.#random.bytes(nonceOctets);
    const { ciphertext, tag } = this.#key.use((key) =>
      secret.use((octets) => aesGcmSeal(key, nonce, octets, utf8(context))),
    );
    return concatBytes(Uint8Array.of(formatVersion), nonce, tag, ciphertext);
  }

  /** @throws ProtocolError `local` when it was wrapped under another key or for something else. */
  unwrap(wrapped: Uint8Array, context: WrapContext): SecretBytes {
    if (wrapped[0] !== formatVersion || wrapped.length < 1 + nonceOctets + tagOctets) {
      throw wrongKek('a wrapped key of unknown form', 'one that this program wrote');
    }
    const nonce = wrapped.subarray(1, 1 + nonceOctets);
    const tag = wrapped.subarray(1 + nonceOctets, 1 + nonceOctets + tagOctets);
    const ciphertext = wrapped.subarray(1 + nonceOctets + tagOctets);
    try {
      const opened = this.#key.use((key) => aesGcmOpen(key, nonce, ciphertext, tag, utf8(context)));
      const secret = new SecretBytes(opened);
      opened.fill(0);
      return secret;
    } catch {
      throw wrongKek('a stored key does not open under it', 'the key that this storage was made with');
    }
  }

  /** For `KeyCheckStore`. */
  makeCheck(): Uint8Array {
    return this.wrap(new SecretBytes(this.#random.bytes(keyOctets)), checkContext);
  }

  /** @throws ProtocolError `local` when the storage's keys are wrapped under another key. */
  async checkAgainst(storage: Pick<KmsStorage, 'keyCheck'>): Promise<void> {
    const check = (await storage.keyCheck.get()) ?? (await storage.keyCheck.getOrSet(this.makeCheck()));
    this.unwrap(check, checkContext).dispose();
  }

  dispose(): void {
    this.#key.dispose();
  }
}

const wrongKek = (problem: string, expected: string): ProtocolError =>
  new ProtocolError('local', problem, { field: 'kms.keyEncryptionKey', expected });

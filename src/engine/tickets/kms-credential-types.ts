import type { SecretBytes } from '../../base/secret-bytes.ts';
import type { MikeyIdentity, PublicKeyCredential } from '../../protocol/mikey/index.ts';
import type { KmsCredentialMode } from './kms-credential-mode.ts';

/** What protects one exchange with the KMS. */
export type KmsKey = SharedKmsKey | CertifiedKmsKey;

/** A key that the KMS has too. */
export interface SharedKmsKey {
  /** Belongs to the credential, which keeps it usable until `dispose`, also when a newer key has taken its place. */
  readonly psk: SecretBytes;
  /** IDRpsk: the name of the key, for bootstrapped keys the B-TID (profile 6.3). */
  readonly pskId: MikeyIdentity;
  /** Milliseconds since 1970, by the clock that `current` was asked with; absent for a key without an end. */
  readonly validUntil?: number;
}

/** A certificate, with which a key for the exchange is made. */
export interface CertifiedKmsKey {
  readonly certificate: PublicKeyCredential;
  readonly validUntil?: undefined;
}

/** How an account proves itself to its KMS. */
export interface KmsCredential<Key extends KmsKey = KmsKey> {
  readonly mode: KmsCredentialMode;
  /**
   * The key for the next exchange; made or renewed first where it has to be.
   * @param now milliseconds since 1970.
   * @throws RefusalError `kms-unreachable` when the network that makes the key is away, `bootstrapping-refused` when
   * it refuses, `network-not-proven` when it may be somebody else.
   */
  current(now: number): Promise<Key>;
  /** The KMS answered 401 to `key`, which `current` gave. `retry`: `current` has a new key that deserves one more try. */
  rejected(key: KmsKey): Promise<'retry' | 'give-up'>;
  dispose(): void;
}

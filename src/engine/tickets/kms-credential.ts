import { utf8 } from '../../base/bytes.ts';
import { SecretBytes } from '../../base/secret-bytes.ts';
import { bytesIdentity, type MikeyIdentity } from '../../protocol/mikey/index.ts';
import type { AccountSecrets, KmsConfig } from '../account-config.ts';

/** Every way to a key that is shared with the KMS. */
export type KmsCredentialMode = 'static-psk' | 'gba-aka' | 'gba-digest' | 'certificate';

/** What protects one exchange with the KMS. */
export interface KmsKey {
  /** Belongs to the credential, which keeps it usable until `dispose`, also when a newer key has taken its place. */
  readonly psk: SecretBytes;
  /** IDRpsk: the name of the key, for bootstrapped keys the B-TID (profile 6.3). */
  readonly pskId: MikeyIdentity;
  /** Milliseconds since 1970, by the clock that `current` was asked with; absent for a key without an end. */
  readonly validUntil?: number;
}

/** How an account proves itself to its KMS. */
export interface KmsCredential {
  readonly mode: KmsCredentialMode;
  /**
   * The key for the next exchange; made or renewed first where it has to be.
   * @param now milliseconds since 1970.
   * @throws RefusalError `kms-unreachable` when the network that makes the key is away, `kms-refused` when it refuses.
   */
  current(now: number): Promise<KmsKey>;
  /** The KMS answered 401 to the key that `current` gave last. `retry`: `current` has a new key that deserves one more try. */
  rejected(): Promise<'retry' | 'give-up'>;
  dispose(): void;
}

/** A key that both sides were given by hand (profile 6.3, mode `static-psk`): nobody but the user can replace it. */
export function createStaticPskCredential(pskId: string, psk: SecretBytes): KmsCredential {
  // A copy: the one that was given stays its owner's.
  const own = psk.use((octets) => new SecretBytes(octets));
  const key: KmsKey = { psk: own, pskId: bytesIdentity(utf8(pskId)) };
  return {
    mode: 'static-psk',
    current: () => Promise.resolve(key),
    rejected: () => Promise.resolve('give-up'),
    dispose: () => own.dispose(),
  };
}

/** The credential that a configuration asks for; undefined when its secret is missing. */
export function createKmsCredential({ credential }: KmsConfig, secrets: AccountSecrets): KmsCredential | undefined {
  return secrets.kmsPsk === undefined ? undefined : createStaticPskCredential(credential.pskId, secrets.kmsPsk);
}

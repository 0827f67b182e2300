import type { SecretBytes } from '../base/secret-bytes.ts';
import type { GrantRules, KmsPublicKey } from '../protocol/mikey/index.ts';
import type { CertificateRules } from './certified-users.ts';

/** One key holder. */
export interface KmsUserConfig {
  /** SIP or tel URIs of one person; the first is the main one, the others are aliases. Any form, compared canonically. */
  readonly identities: readonly string[];
  /** Name of the key, as it stands in IDRpsk; different for each user. */
  readonly pskId: string;
  /** 32 octets. */
  readonly psk: SecretBytes;
  /** False: may resolve tickets but not ask for any. Absent means true. */
  readonly mayRequest?: boolean;
  /** To whom this user may send, by any of their identities; absent means everybody. */
  readonly allowedResponders?: readonly string[];
  /** As in `StoredUser`. */
  readonly certificates?: 'any' | readonly string[];
}

/** Public-key questions of users with certificates (RFC 6043 4.2.1.3). */
export interface KmsPublicKeyConfig extends KmsPublicKey, CertificateRules {}

export interface KmsConfig {
  /** IDRkms, for example `sip:kms.example.com`; compared octet by octet. */
  readonly identity: string;
  readonly users: readonly KmsUserConfig[];
  /** Lives of tickets; the profile's where absent. */
  readonly rules?: Partial<GrantRules>;
  /** Without it public-key questions are refused. */
  readonly publicKey?: KmsPublicKeyConfig;
}

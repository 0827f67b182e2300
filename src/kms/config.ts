import type { SecretBytes } from '../base/secret-bytes.ts';
import type { GrantRules } from '../protocol/mikey/index.ts';

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
}

export interface KmsConfig {
  /** IDRkms, for example `sip:kms.example.com`; compared octet by octet. */
  readonly identity: string;
  readonly users: readonly KmsUserConfig[];
  /** Lives of tickets; the profile's where absent. */
  readonly rules?: Partial<GrantRules>;
}

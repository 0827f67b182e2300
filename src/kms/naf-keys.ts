import type { SecretBytes } from '../base/secret-bytes.ts';

/** What a BSF tells a NAF of somebody who bootstrapped (TS 33.220 clause 4.5.3, reference point Zn). */
export interface NafKey {
  /** IMPI: private identity of the subscriber. */
  readonly privateIdentity: string;
  /** IMPUs: the public identities that the subscriber may speak under; any form. */
  readonly identities: readonly string[];
  /** Ks_NAF: 32 octets. */
  readonly key: SecretBytes;
  /** Milliseconds since 1970. */
  readonly bootstrappedAt: number;
  /** Milliseconds since 1970; the key is not used afterwards. */
  readonly validUntil: number;
}

/** The BSF, as this NAF may use it. */
export interface NafKeySource {
  /** Domain of the BSF, which every B-TID of its own ends with. */
  readonly bsfDomain: string;
  /**
   * The key of this NAF under a B-TID; undefined when the BSF knows none.
   * Rejects with ProtocolError (field `zn.*`) when no answer could be had: that says nothing about the B-TID.
   */
  ask(btid: string): Promise<NafKey | undefined>;
}

import type { SecretBytes } from '../../base/secret-bytes.ts';
import { ksNaf, nafId, type KsNafInput } from '../../protocol/gba/index.ts';

/** What one bootstrapping gave: Ks, which never leaves this object, and the keys of NAFs that come from it. */
export class BootstrappedKey {
  /** Names it towards every NAF. */
  readonly btid: string;
  /** Milliseconds since 1970. */
  readonly validUntil: number;
  readonly #input: Omit<KsNafInput, 'nafId'>;

  constructor(btid: string, validUntil: number, input: Omit<KsNafInput, 'nafId'>) {
    this.btid = btid;
    this.validUntil = validUntil;
    this.#input = input;
  }

  /** Ks_NAF for the KMS of this name (TS 33.220 annex B, profile 6.3): 32 octets, the caller's to dispose. */
  keyFor(nafFqdn: string): SecretBytes {
    return ksNaf({ ...this.#input, nafId: nafId(nafFqdn) });
  }

  dispose(): void {
    this.#input.ks.dispose();
  }
}

import type { SecretBytes } from '../../base/secret-bytes.ts';

/** Ks of one bootstrapping and whose it is. */
export interface BootstrappedKey {
  readonly btid: string;
  /** IMPI. */
  readonly privateIdentity: string;
  readonly mode: 'gba-me' | 'gba-digest';
  readonly ks: SecretBytes;
  /** RAND of AKA, or the nonce as GBA_Digest takes it: an input of Ks_NAF. */
  readonly rand: Uint8Array;
  /** Milliseconds since 1970. */
  readonly bootstrappedAt: number;
  readonly validUntil: number;
}

const maxKeys = 10_000;
const maxKeysOfOne = 8;

/** What the BSF remembers of bootstrappings: bounded in all and for each subscriber, whose oldest goes first. */
export class KeyStore {
  /** Oldest first. */
  readonly #keys = new Map<string, BootstrappedKey>();

  get size(): number {
    return this.#keys.size;
  }

  put(key: BootstrappedKey, now: number): void {
    for (const kept of this.#keys.values()) if (kept.validUntil <= now) this.#forget(kept);
    const own = [...this.#keys.values()].filter(({ privateIdentity }) => privateIdentity === key.privateIdentity);
    for (const surplus of own.slice(0, Math.max(0, own.length - maxKeysOfOne + 1))) this.#forget(surplus);
    const [oldest] = this.#keys.values();
    if (this.#keys.size >= maxKeys && oldest !== undefined) this.#forget(oldest);
    this.#keys.set(key.btid, key);
  }

  get(btid: string, now: number): BootstrappedKey | undefined {
    const found = this.#keys.get(btid);
    if (found === undefined || found.validUntil > now) return found;
    this.#forget(found);
    return undefined;
  }

  /** As a restart does. */
  clear(): void {
    for (const key of this.#keys.values()) this.#forget(key);
  }

  #forget(key: BootstrappedKey): void {
    this.#keys.delete(key.btid);
    key.ks.dispose();
  }
}

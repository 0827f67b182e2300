import type { KsNafInput } from '../../protocol/gba/index.ts';

/** One bootstrapping as the BSF remembers it. */
export interface KeptKey {
  readonly btid: string;
  /** Ks, whose it is, and what it was made of. */
  readonly input: Omit<KsNafInput, 'nafId'>;
  /** Milliseconds since 1970. */
  readonly bootstrappedAt: number;
  readonly validUntil: number;
}

const maxKeys = 10_000;
const maxKeysOfOne = 8;

/** What the BSF remembers of bootstrappings: bounded in all and for each subscriber, whose oldest goes first. */
export class KeyStore {
  /** Oldest first. */
  readonly #keys = new Map<string, KeptKey>();

  get size(): number {
    return this.#keys.size;
  }

  put(key: KeptKey, now: number): void {
    for (const kept of this.#keys.values()) if (kept.validUntil <= now) this.#forget(kept);
    const own = [...this.#keys.values()].filter(({ input }) => input.impi === key.input.impi);
    for (const surplus of own.slice(0, Math.max(0, own.length - maxKeysOfOne + 1))) this.#forget(surplus);
    const [oldest] = this.#keys.values();
    if (this.#keys.size >= maxKeys && oldest !== undefined) this.#forget(oldest);
    this.#keys.set(key.btid, key);
  }

  get(btid: string, now: number): KeptKey | undefined {
    const found = this.#keys.get(btid);
    if (found === undefined || found.validUntil > now) return found;
    this.#forget(found);
    return undefined;
  }

  /** As a restart does. */
  clear(): void {
    for (const key of this.#keys.values()) this.#forget(key);
  }

  #forget(key: KeptKey): void {
    this.#keys.delete(key.btid);
    key.input.ks.dispose();
  }
}

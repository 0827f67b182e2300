import { toHex } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { sha256 } from '../../crypto/digest.ts';

/** Remembers what was seen until it would be refused for its age anyway. Bounded; when full of live entries it says so. */
export class ReplayCache {
  readonly #capacity: number;
  readonly #until = new Map<string, number>();
  #earliest = Infinity;

  /** @param capacity most entries kept at a time. */
  constructor(capacity: number) {
    if (!(capacity > 0)) throw new ProtocolError('local', 'no capacity', { field: 'replayCache.capacity' });
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#until.size;
  }

  /** True when every place holds an entry that has not passed its time. */
  isFull(now: number): boolean {
    if (this.#until.size >= this.#capacity) this.#dropExpired(now);
    return this.#until.size >= this.#capacity;
  }

  /** True when `key` was added before and has not passed its time. */
  has(key: Uint8Array, now: number): boolean {
    return (this.#until.get(nameOf(key)) ?? -Infinity) >= now;
  }

  /**
   * Remembers `key` until a time in milliseconds since 1970.
   * @returns `full` when every place holds a live entry: nothing was remembered, so the caller must refuse.
   */
  add(key: Uint8Array, until: number, now: number): 'fresh' | 'replayed' | 'full' {
    if (this.has(key, now)) return 'replayed';
    if (this.isFull(now)) return 'full';
    this.#until.set(nameOf(key), until);
    this.#earliest = Math.min(this.#earliest, until);
    return 'fresh';
  }

  #dropExpired(now: number): void {
    if (this.#earliest >= now) return;
    this.#earliest = Infinity;
    for (const [name, until] of this.#until) {
      if (until < now) this.#until.delete(name);
      else this.#earliest = Math.min(this.#earliest, until);
    }
  }
}

const nameOf = (key: Uint8Array): string => toHex(sha256(key));

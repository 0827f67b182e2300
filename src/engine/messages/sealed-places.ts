import { limits } from '../limits.ts';
import type { SealedStore } from '../store/index.ts';

/**
 * Which sealed messages are being opened or wait for their key, by what tells their octets from others: the MAC of one that was not
 * opened could stand on another. Bounded, in all and for each sender: one who sends what nobody can open takes no place from the others.
 */
export class SealedPlaces {
  readonly #sealed: SealedStore;
  readonly #opening = new Map<string, { readonly id: string; readonly peer: string }>();
  /** Ids of those that could not be opened and are kept for when they can; the oldest first. */
  readonly #waiting = new Map<string, string>();
  /** Of these, those whose key was refused. */
  readonly #refused = new Map<string, string>();
  /** The last that nobody can read: shown once, though the network may repeat them. Not on the disk, which anybody could fill so. */
  readonly #unreadable = new Set<string>();

  constructor(sealed: SealedStore) {
    this.#sealed = sealed;
  }

  /** It is here already: it is being opened, waits, or was found to be what nobody can read. */
  has(key: string): boolean {
    const waiting = this.#waiting.get(key);
    return (
      this.#opening.has(key) ||
      this.#unreadable.has(key) ||
      (waiting !== undefined && this.#sealed.get(waiting) !== undefined)
    );
  }

  hasRoomFor(peer: string): boolean {
    const own = [...this.#opening.values()].filter((one) => one.peer === peer).length;
    return this.#opening.size < limits.undecryptableMessages && own < limits.undecryptableOfOne;
  }

  /** Ids of those that are being opened. */
  opening(): ReadonlySet<string> {
    return new Set([...this.#opening.values()].map(({ id }) => id));
  }

  begin(key: string, id: string, peer: string): void {
    this.#waiting.delete(key);
    this.#refused.delete(key);
    this.#opening.set(key, { id, peer });
  }

  /** It was opened, or will be tried again later. */
  end(key: string): void {
    const id = this.#opening.get(key)?.id;
    this.#opening.delete(key);
    if (id === undefined || this.#sealed.get(id) === undefined) return;
    this.#waiting.set(key, id);
  }

  unreadable(key: string): void {
    this.#unreadable.add(key);
    const [oldest] = this.#unreadable;
    if (this.#unreadable.size > limits.sealedMessages && oldest !== undefined) this.#unreadable.delete(oldest);
  }

  /** Its key was refused. Of these only the newest are kept; the others stay visible as what could not be read. */
  refused(key: string, id: string): void {
    this.#refused.set(key, id);
    const [oldest] = this.#refused;
    if (this.#refused.size <= limits.sealedMessages || oldest === undefined) return;
    this.#refused.delete(oldest[0]);
    this.#waiting.delete(oldest[0]);
    this.#sealed.remove(oldest[1]);
  }
}

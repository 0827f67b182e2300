/**
 * Key material that cannot slip into a log, an error text or JSON: every textual form is redacted,
 * and the octets are reached only inside `use`.
 */
export class SecretBytes {
  #bytes: Uint8Array | undefined;

  /** Takes a copy; the caller may wipe its own. */
  constructor(bytes: Uint8Array) {
    this.#bytes = Uint8Array.from(bytes);
  }

  get length(): number {
    return this.#open().length;
  }

  /** Lends the octets for the length of one call; `action` must not keep them. */
  use<T>(action: (bytes: Uint8Array) => T): T {
    return action(this.#open());
  }

  /** Overwrites the octets. Any later use throws. */
  dispose(): void {
    this.#bytes?.fill(0);
    this.#bytes = undefined;
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[secret]';
  }

  #open(): Uint8Array {
    if (this.#bytes === undefined) throw new Error('secret used after dispose');
    return this.#bytes;
  }
}

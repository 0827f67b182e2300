/** What takes the writes of a transaction in memory back when it throws. */
export class UndoLog {
  readonly #steps: (() => void)[] = [];
  #depth = 0;

  /** To be called after each write with what takes it back. */
  wrote(undo: () => void): void {
    if (this.#depth > 0) this.#steps.push(undo);
  }

  transaction<Result>(work: () => Result): Result {
    const start = this.#steps.length;
    this.#depth++;
    try {
      return work();
    } catch (error) {
      while (this.#steps.length > start) this.#steps.pop()?.();
      throw error;
    } finally {
      this.#depth--;
      if (this.#depth === 0) this.#steps.length = 0;
    }
  }

  /** Sets or, with undefined, deletes an entry of a map. */
  put<Key, Value>(map: Map<Key, Value>, key: Key, value: Value | undefined): void {
    const before = map.get(key);
    assign(map, key, value);
    this.wrote(() => assign(map, key, before));
  }
}

function assign<Key, Value>(map: Map<Key, Value>, key: Key, value: Value | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}

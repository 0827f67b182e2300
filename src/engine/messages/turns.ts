/** By whom, settled when the newest of theirs has had its turn: things are done side by side and shown in their order. */
export class Turns {
  readonly #last = new Map<string, Promise<void>>();

  /** Takes a place at the end of the row; `before` settles when it is its turn, `end` makes it the next one's. */
  take(who: string): { readonly before: Promise<void>; end(): void } {
    const before = this.#last.get(who) ?? Promise.resolve();
    let end: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => (end = resolve));
    const mine = Promise.all([before, ended]).then(() => {
      if (this.#last.get(who) === mine) this.#last.delete(who);
    });
    this.#last.set(who, mine);
    return { before, end };
  }
}

/** Which octets of a message have arrived: half-open ranges, sorted, never touching each other. */
export class RangeSet {
  readonly #ranges: { start: number; end: number }[] = [];

  get count(): number {
    return this.#ranges.length;
  }

  /** One past the last octet seen; 0 when there is none. */
  get end(): number {
    return this.#ranges.at(-1)?.end ?? 0;
  }

  add(start: number, end: number): void {
    if (end <= start) return;
    const before = this.#ranges.findIndex((range) => range.end >= start);
    const first = before < 0 ? this.#ranges.length : before;
    let last = first;
    const merged = { start, end };
    for (let range = this.#ranges[last]; range !== undefined && range.start <= merged.end; range = this.#ranges[last]) {
      merged.start = Math.min(merged.start, range.start);
      merged.end = Math.max(merged.end, range.end);
      last++;
    }
    this.#ranges.splice(first, last - first, merged);
  }

  /** True when every octet from 0 up to `end` is there and none beyond. */
  isExactly(end: number): boolean {
    if (end === 0) return this.#ranges.length === 0;
    const [only] = this.#ranges;
    return this.#ranges.length === 1 && only?.start === 0 && only.end === end;
  }
}

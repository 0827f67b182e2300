const sweepEveryMilliseconds = 60_000;
const sweepWhenFullEveryMilliseconds = 1000;

/**
 * How many messages a storage remembers, as far as this replica knows: what it counted last and what it added since. Replicas
 * may pass the capacity by what each of them adds in a minute, which the next sweep finds.
 */
export class ReplayCensus {
  readonly #capacity: number;
  #known = 0;
  #sweptAt = -Infinity;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get isFull(): boolean {
    return this.#known >= this.#capacity;
  }

  /** True when what has passed its time is to be deleted and the rest counted. */
  needsSweep(now: number): boolean {
    const age = now - this.#sweptAt;
    // A clock that was set back sweeps too.
    return age < 0 || age >= (this.isFull ? sweepWhenFullEveryMilliseconds : sweepEveryMilliseconds);
  }

  swept(remaining: number, now: number): void {
    this.#known = remaining;
    this.#sweptAt = now;
  }

  added(): void {
    this.#known += 1;
  }
}

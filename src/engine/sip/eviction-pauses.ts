const steadyMilliseconds = 60_000;
const longestMilliseconds = 300_000;

/**
 * How soon to register again after the network has ended a registration and wants another (RFC 3680): at once, but a network that
 * ends each one as soon as it has begun is asked after 2, 4, 8, ... s, five minutes at most.
 */
export class EvictionPauses {
  #registeredAt = 0;
  #evictions = 0;

  /** @param now milliseconds since 1970. */
  registered(now: number): void {
    this.#registeredAt = now;
  }

  /** Milliseconds. */
  next(now: number): number {
    if (now - this.#registeredAt > steadyMilliseconds) this.#evictions = 0;
    const evictions = this.#evictions++;
    return evictions === 0 ? 0 : Math.min(longestMilliseconds, 1000 * 2 ** Math.min(evictions, 20));
  }
}

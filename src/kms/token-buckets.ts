/** So many on average, and so many at once after a pause. */
export interface BucketRate {
  readonly perSecond: number;
  /** At least 1. */
  readonly burst: number;
}

interface Bucket {
  tokens: number;
  /** Milliseconds since 1970. */
  at: number;
}

/** Those who find the table full share one bucket that refills so many times as fast as one of the others. */
const overflowFactor = 16;

/**
 * A token bucket for each key, in bounded memory. A bucket that has refilled is the same as none and is forgotten. When every
 * place holds one that has not, newcomers share a bucket: nobody gets a fresh one by pushing others out.
 */
export class TokenBuckets {
  readonly #rate: BucketRate;
  readonly #maxKeys: number;
  /** The longest unused first. */
  readonly #buckets = new Map<string, Bucket>();
  readonly #overflow: Bucket;

  constructor(rate: BucketRate, maxKeys: number) {
    this.#rate = rate;
    this.#maxKeys = maxKeys;
    this.#overflow = { tokens: rate.burst * overflowFactor, at: -Infinity };
  }

  /** Keys remembered now. */
  get size(): number {
    return this.#buckets.size;
  }

  /**
   * Takes one token.
   * @param now milliseconds since 1970; a clock that is set back refills nothing until it has caught up.
   * @returns `undefined` when there was one, else the whole seconds, at least 1, after which there will be.
   */
  take(key: string, now: number): number | undefined {
    const known = this.#buckets.get(key);
    if (known !== undefined) {
      this.#buckets.delete(key);
      this.#buckets.set(key, known);
      return takeFrom(known, this.#rate, now);
    }
    this.#forgetRefilled(now);
    if (this.#buckets.size >= this.#maxKeys) {
      const { perSecond, burst } = this.#rate;
      return takeFrom(this.#overflow, { perSecond: perSecond * overflowFactor, burst: burst * overflowFactor }, now);
    }
    const fresh = { tokens: this.#rate.burst, at: now };
    this.#buckets.set(key, fresh);
    return takeFrom(fresh, this.#rate, now);
  }

  /** From the longest unused on; the first that still refills ends it, so that a call costs no more than it frees. */
  #forgetRefilled(now: number): void {
    for (const [key, { tokens, at }] of this.#buckets) {
      const missing = this.#rate.burst - tokens;
      if (((now - at) / 1000) * this.#rate.perSecond < missing) return;
      this.#buckets.delete(key);
    }
  }
}

function takeFrom(bucket: Bucket, { perSecond, burst }: BucketRate, now: number): number | undefined {
  const elapsed = Math.max(0, now - bucket.at) / 1000;
  bucket.tokens = Math.min(burst, bucket.tokens + elapsed * perSecond);
  bucket.at = Math.max(bucket.at, now);
  if (bucket.tokens < 1) return Math.max(1, Math.ceil((1 - bucket.tokens) / perSecond));
  bucket.tokens -= 1;
  return undefined;
}

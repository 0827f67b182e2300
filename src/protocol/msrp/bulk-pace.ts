/** Chunks of a long message at first, and wherever answers take their time. */
export const bulkChunkOctets = 64 * 1024;
/**
 * Where answers come at once: fewer heads and answers for the same octets. Larger ones gain nothing more: what a receiver
 * saves on heads it then spends on collecting the memory of what it read.
 */
const largestChunkOctets = 128 * 1024;
/** Octets of long messages on their way: enough for 250 Mbit/s over a road of 100 ms; what comes after waits behind them. */
const mostUnanswered = 3 * 1024 * 1024;
const quickMilliseconds = 50;
const slowMilliseconds = 200;

/**
 * How large the chunks of long messages are and how many may be unanswered. A message of a few words waits for the chunk
 * before it, so chunks only grow where one is answered quickly, and shrink at once where it is not.
 */
export class BulkPace {
  #chunkOctets = bulkChunkOctets;
  #unanswered = 0;

  get chunkOctets(): number {
    return this.#chunkOctets;
  }

  get hasRoom(): boolean {
    return this.#unanswered < mostUnanswered;
  }

  sent(octets: number): void {
    this.#unanswered += octets;
  }

  /** No answer is waited for any more. */
  over(octets: number): void {
    this.#unanswered -= octets;
  }

  /** A chunk that was sent as large as `chunkOctets` allowed was answered after this time. */
  answered(milliseconds: number): void {
    if (milliseconds > slowMilliseconds) this.#chunkOctets = bulkChunkOctets;
    else if (milliseconds <= quickMilliseconds && this.#chunkOctets < largestChunkOctets) this.#chunkOctets *= 2;
  }
}

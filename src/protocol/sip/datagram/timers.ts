/** Timer values of RFC 3261 clause 17.1.1.1, in milliseconds. */
export interface TransactionTimers {
  /** Estimate of the round trip. */
  readonly t1: number;
  /** Longest pause between retransmissions of a request other than INVITE and of a response to INVITE. */
  readonly t2: number;
  /** How long a message may stay in the network. */
  readonly t4: number;
}

/** Timers B, D, F, H, J, L and M: 64 times T1. */
export function transactionLife({ t1 }: TransactionTimers): number {
  return 64 * t1;
}

/** An INVITE that rings is remembered so long after the last provisional response, which come each minute (clause 13.3.1.1). */
export const ringingMilliseconds = 180_000;

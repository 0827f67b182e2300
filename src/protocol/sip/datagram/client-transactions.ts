import type { SipMessage } from '../message.ts';
import { ringingMilliseconds, transactionLife, type TransactionTimers } from './timers.ts';
import { transactionKey } from './transaction-key.ts';
import { TransactionTable, type TransactionEntry } from './transaction-table.ts';

interface ClientTransaction extends TransactionEntry {
  readonly isInvite: boolean;
  state: 'calling' | 'proceeding' | 'completed' | 'accepted';
  /** Pause before the retransmission after the next. */
  interval: number;
  /** Our ACK to a final response other than 2xx. */
  ack: Uint8Array | undefined;
}

/** What to do with a response. */
export interface ResponseVerdict {
  /** False for a retransmission that was seen. */
  readonly isNew: boolean;
  /** To be sent because of it: the ACK again. */
  readonly resend?: Uint8Array;
}

/**
 * Client transactions over an unreliable transport (RFC 3261 clause 17.1, RFC 6026):
 *
 *   calling --1xx--> proceeding --3xx-6xx (2xx of other methods)--> completed --D, K--> gone
 *      |A, E              |E               2xx to INVITE ----------> accepted  --M-----> gone
 *      `--B, F--> gone    `--F--> gone
 *
 * The timeouts themselves (B, F) are told by the transaction user, which counts them too; here they end the retransmissions.
 */
export class ClientTransactions {
  readonly #timers: TransactionTimers;
  readonly #table: TransactionTable<ClientTransaction>;
  readonly #most: number;

  /** @param most transactions that are remembered; what comes above is sent once. */
  constructor(timers: TransactionTimers, most: number) {
    this.#timers = timers;
    this.#most = most;
    this.#table = new TransactionTable(timers.t4);
  }

  get size(): number {
    return this.#table.size;
  }

  /** A request of ours leaves for the first time. */
  sent(request: SipMessage, bytes: Uint8Array, now: number): void {
    const key = transactionKey(request);
    if (request.method === 'ACK') {
      // That of a 2xx has a branch of its own, and is repeated by whoever sent it.
      const acknowledged = this.#table.get(key, now);
      if (acknowledged !== undefined) acknowledged.ack = bytes;
      return;
    }
    if (this.#table.size >= this.#most) return;
    const { t1 } = this.#timers;
    const entry: ClientTransaction = {
      isInvite: request.method === 'INVITE',
      state: 'calling',
      bytes,
      interval: t1,
      nextSend: now + t1,
      endsAt: now + transactionLife(this.#timers),
      ack: undefined,
    };
    this.#table.add(key, entry, now);
  }

  received(response: SipMessage, now: number): ResponseVerdict {
    const entry = this.#table.get(transactionKey(response), now);
    const status = response.status ?? 0;
    // What belongs to no transaction is judged by the transaction user.
    if (entry === undefined) return { isNew: true };
    if (status < 200) {
      const isFinal = entry.state === 'completed' || entry.state === 'accepted';
      if (!isFinal) this.#provisional(entry, now);
      return { isNew: !isFinal };
    }
    if (entry.state === 'completed') {
      // Clause 17.1.1.2: each retransmission of a final response is acknowledged.
      return entry.ack === undefined ? { isNew: false } : { isNew: false, resend: entry.ack };
    }
    const isAccepted = entry.isInvite && status < 300;
    entry.state = isAccepted ? 'accepted' : 'completed';
    const life = transactionLife(this.#timers);
    this.#stopSending(entry, now + (entry.isInvite ? life : this.#timers.t4));
    return { isNew: true };
  }

  /** Requests to be sent again. */
  due(now: number): Uint8Array[] {
    return this.#table.due(now).map((entry) => {
      entry.interval = this.#nextInterval(entry);
      entry.nextSend = now + entry.interval;
      return entry.bytes;
    });
  }

  nextDue(): number | undefined {
    return this.#table.nextDue();
  }

  #provisional(entry: ClientTransaction, now: number): void {
    entry.state = 'proceeding';
    if (entry.isInvite) this.#stopSending(entry, now + ringingMilliseconds);
  }

  /** Timer A doubles without end; timer E doubles up to T2, and is T2 once there was a provisional response. */
  #nextInterval({ isInvite, state, interval }: ClientTransaction): number {
    if (isInvite) return interval * 2;
    return state === 'proceeding' ? this.#timers.t2 : Math.min(interval * 2, this.#timers.t2);
  }

  #stopSending(entry: ClientTransaction, endsAt: number): void {
    entry.nextSend = undefined;
    entry.endsAt = endsAt;
    this.#table.changed(entry);
  }
}

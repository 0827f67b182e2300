import type { SipMessage } from '../message.ts';
import { ringingMilliseconds, transactionLife, type TransactionTimers } from './timers.ts';
import { transactionKey } from './transaction-key.ts';
import { TransactionTable, type TransactionEntry } from './transaction-table.ts';

interface ServerTransaction extends TransactionEntry {
  readonly isInvite: boolean;
  state: 'proceeding' | 'completed' | 'confirmed' | 'accepted';
  interval: number;
}

export type RequestVerdict =
  /** Not seen before. */
  | { readonly kind: 'new' }
  /** A retransmission; `resend` answers it where there is an answer. */
  | { readonly kind: 'again'; readonly resend?: Uint8Array }
  /** Not seen before, and there is no memory for it. */
  | { readonly kind: 'busy' };

export interface ServerMemory {
  readonly transactions: number;
  /** Of all answers that are remembered. */
  readonly octets: number;
}

const empty = new Uint8Array();

/**
 * Server transactions over an unreliable transport (RFC 3261 clause 17.2, RFC 6026):
 *
 *   proceeding --3xx-6xx to INVITE--> completed (G: again) --ACK--> confirmed --I--> gone
 *      |       --2xx to INVITE------> accepted  --L--> gone    `--H--> gone
 *      `-------final, other methods-> completed --J--> gone
 *
 * Retransmitted requests are answered from memory. A 503 to another method than INVITE is not remembered: giving it again costs
 * less than remembering it, so that a flood fills no memory.
 */
export class ServerTransactions {
  readonly #timers: TransactionTimers;
  readonly #memory: ServerMemory;
  readonly #table: TransactionTable<ServerTransaction>;

  constructor(timers: TransactionTimers, memory: ServerMemory) {
    this.#timers = timers;
    this.#memory = memory;
    this.#table = new TransactionTable(timers.t4);
  }

  get size(): number {
    return this.#table.size;
  }

  received(request: SipMessage, now: number): RequestVerdict {
    const key = transactionKey(request);
    const known = this.#table.get(key, now);
    if (request.method === 'ACK') return known === undefined ? { kind: 'new' } : this.#acknowledged(known, now);
    if (known !== undefined) {
      const isSilent = known.bytes.length === 0 || known.state === 'confirmed' || known.state === 'accepted';
      return isSilent ? { kind: 'again' } : { kind: 'again', resend: known.bytes };
    }
    const isFull = this.#table.size >= this.#memory.transactions || this.#table.octets >= this.#memory.octets;
    if (isFull) return { kind: 'busy' };
    const isInvite = request.method === 'INVITE';
    const life = isInvite ? ringingMilliseconds : transactionLife(this.#timers);
    this.#table.add(
      key,
      { isInvite, state: 'proceeding', bytes: empty, interval: 0, nextSend: undefined, endsAt: now + life },
      now,
    );
    return { kind: 'new' };
  }

  /** A response of ours leaves. */
  sent(response: SipMessage, bytes: Uint8Array, now: number): void {
    const key = transactionKey(response);
    const entry = this.#table.get(key, now);
    const status = response.status ?? 0;
    if (entry?.state !== 'proceeding') return;
    const { t1 } = this.#timers;
    const life = transactionLife(this.#timers);
    if (status < 200) {
      this.#table.replaceBytes(entry, bytes);
      entry.endsAt = now + (entry.isInvite ? ringingMilliseconds : life);
      return;
    }
    if (status === 503 && !entry.isInvite) {
      this.#table.remove(key);
      return;
    }
    entry.endsAt = now + life;
    if (entry.isInvite && status < 300) {
      // RFC 3261 clause 13.3.1.4: whoever sent a 2xx repeats it until the ACK, which is another transaction.
      entry.state = 'accepted';
      this.#table.replaceBytes(entry, empty);
      return;
    }
    entry.state = 'completed';
    this.#table.replaceBytes(entry, bytes);
    if (!entry.isInvite) return;
    entry.interval = t1;
    entry.nextSend = now + t1;
    this.#table.changed(entry);
  }

  /** Responses to be sent again. */
  due(now: number): Uint8Array[] {
    return this.#table.due(now).map((entry) => {
      entry.interval = Math.min(entry.interval * 2, this.#timers.t2);
      entry.nextSend = now + entry.interval;
      return entry.bytes;
    });
  }

  nextDue(): number | undefined {
    return this.#table.nextDue();
  }

  #acknowledged(entry: ServerTransaction, now: number): RequestVerdict {
    if (entry.state !== 'completed') return { kind: entry.state === 'confirmed' ? 'again' : 'new' };
    entry.state = 'confirmed';
    entry.nextSend = undefined;
    entry.endsAt = now + this.#timers.t4;
    this.#table.changed(entry);
    return { kind: 'new' };
  }
}

import { parseCSeq } from '../../protocol/sip/headers.ts';
import type { SipMessage } from '../../protocol/sip/message.ts';
import type { Timers } from '../timers.ts';
import { topBranch } from './forwarding.ts';

/** RFC 3261 17.1.1.1, in milliseconds. */
export interface UdpTimes {
  readonly t1: number;
  readonly t2: number;
}
export const defaultUdpTimes: UdpTimes = { t1: 500, t2: 4000 };

/** A request of the UE, until its retransmissions are over (timers H and J). */
interface ServerTransaction {
  lastResponse: Uint8Array | undefined;
  stopRetransmitting: () => void;
}

const maxServerTransactions = 10_000;

/**
 * What UDP needs between its datagrams and the edge (RFC 3261 17, timers A, B, E, F, G, H, I, J): our requests and our final
 * responses to INVITE are sent again until they are answered, and what the UE sends again is not handled twice.
 */
export class UdpTransactions {
  readonly #timers: Timers;
  readonly #times: UdpTimes;
  readonly #transmit: (bytes: Uint8Array) => void;
  readonly #clients = new Map<string, () => void>();
  readonly #servers = new Map<string, ServerTransaction>();

  constructor(timers: Timers, times: UdpTimes, transmit: (bytes: Uint8Array) => void) {
    this.#timers = timers;
    this.#times = times;
    this.#transmit = transmit;
  }

  /** True when the edge has to handle what came. */
  receive(message: SipMessage): boolean {
    const key = keyOf(message);
    if (message.start.kind === 'response') {
      // Our INVITE stops at the first provisional response; other requests go on until the final one (17.1.2.2).
      if (message.start.status >= 200 || key.endsWith(' INVITE')) this.#endClient(key);
      return true;
    }
    if (message.method === 'ACK') {
      const invite = this.#servers.get(key.replace(/ACK$/, 'INVITE'));
      invite?.stopRetransmitting();
      return true;
    }
    const known = this.#servers.get(key);
    if (known !== undefined) {
      if (known.lastResponse !== undefined) this.#transmit(known.lastResponse);
      return false;
    }
    if (this.#servers.size >= maxServerTransactions) return false;
    this.#servers.set(key, { lastResponse: undefined, stopRetransmitting: () => undefined });
    return true;
  }

  send(message: SipMessage, bytes: Uint8Array): void {
    const key = keyOf(message);
    if (message.start.kind === 'response') this.#respond(key, message.start.status, bytes);
    else if (message.method !== 'ACK') this.#request(key, bytes);
    this.#transmit(bytes);
  }

  stop(): void {
    for (const stop of this.#clients.values()) stop();
    for (const { stopRetransmitting } of this.#servers.values()) stopRetransmitting();
    this.#clients.clear();
    this.#servers.clear();
  }

  #request(key: string, bytes: Uint8Array): void {
    this.#endClient(key);
    this.#clients.set(key, this.#repeat(bytes, key.endsWith(' INVITE') ? Infinity : this.#times.t2));
  }

  #respond(key: string, status: number, bytes: Uint8Array): void {
    const transaction = this.#servers.get(key);
    if (transaction === undefined) return;
    transaction.lastResponse = bytes;
    if (status < 200) return;
    transaction.stopRetransmitting();
    // A 2xx to INVITE is repeated by the callee itself (13.3.1.4).
    if (key.endsWith(' INVITE') && status >= 300) {
      transaction.stopRetransmitting = this.#repeat(bytes, this.#times.t2);
    }
    this.#timers.after(64 * this.#times.t1, () => {
      transaction.stopRetransmitting();
      this.#servers.delete(key);
    });
  }

  /** Sends again after T1, and twice as long each time up to `longest`, until 64 T1 are over. */
  #repeat(bytes: Uint8Array, longest: number): () => void {
    const limit = 64 * this.#times.t1;
    let stop = (): void => undefined;
    const next = (wait: number, elapsed: number): void => {
      if (elapsed + wait > limit) return;
      stop = this.#timers.after(wait, () => {
        this.#transmit(bytes);
        next(Math.min(wait * 2, longest), elapsed + wait);
      });
    };
    next(this.#times.t1, 0);
    return () => stop();
  }

  #endClient(key: string): void {
    this.#clients.get(key)?.();
    this.#clients.delete(key);
  }
}

/** Branch and method name a transaction within one flow (17.1.3, 17.2.3). */
function keyOf(message: SipMessage): string {
  const method = parseCSeq(message.headers.get('CSeq') ?? '').method;
  return `${topBranch(message) ?? ''} ${method}`;
}

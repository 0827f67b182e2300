import { checkMandatoryHeaders } from '../headers.ts';
import { copiedHeaders, serialiseSipMessage, SipMessage } from '../message.ts';
import { ClientTransactions } from './client-transactions.ts';
import { ServerTransactions, type ServerMemory } from './server-transactions.ts';
import type { TransactionTimers } from './timers.ts';

export interface DatagramTransactionsOptions {
  readonly timers: TransactionTimers;
  /** Requests of ours that are repeated at a time. */
  readonly clientTransactions: number;
  readonly serverMemory: ServerMemory;
}

export type DatagramEvent =
  /** The transaction user sends. */
  | { readonly kind: 'send'; readonly message: SipMessage }
  /** A datagram came, and was read. */
  | { readonly kind: 'receive'; readonly message: SipMessage }
  /** The time that `nextDue` told. */
  | { readonly kind: 'time' };

export type DatagramAction =
  | { readonly kind: 'send'; readonly bytes: Uint8Array }
  /** For the transaction user. */
  | { readonly kind: 'deliver'; readonly message: SipMessage };

/** Seconds after which a sender that found us full may try again. */
const retryAfterSeconds = 10;

/**
 * What makes SIP over datagrams reliable beneath a transaction user that behaves as over a stream (RFC 3261 clause 17): it repeats
 * what may be lost, and keeps back what came twice. It has no clock: `now` are milliseconds that never go back.
 */
export class DatagramTransactions {
  readonly #clients: ClientTransactions;
  readonly #servers: ServerTransactions;

  constructor({ timers, clientTransactions, serverMemory }: DatagramTransactionsOptions) {
    this.#clients = new ClientTransactions(timers, clientTransactions);
    this.#servers = new ServerTransactions(timers, serverMemory);
  }

  /** Transactions that are remembered. */
  get size(): number {
    return this.#clients.size + this.#servers.size;
  }

  /** @throws ProtocolError `malformed` for a message that has not what every message must have. */
  handle(event: DatagramEvent, now: number): DatagramAction[] {
    switch (event.kind) {
      case 'send':
        return [{ kind: 'send', bytes: this.#send(event.message, now) }];
      case 'receive':
        checkMandatoryHeaders(event.message);
        return event.message.status === undefined
          ? this.#request(event.message, now)
          : this.#response(event.message, now);
      case 'time':
        return [...this.#clients.due(now), ...this.#servers.due(now)].map((bytes) => ({ kind: 'send', bytes }));
    }
  }

  /** When `time` is to be told; undefined while there is nothing to do. */
  nextDue(): number | undefined {
    const times = [this.#clients.nextDue(), this.#servers.nextDue()].filter((time) => time !== undefined);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  #send(message: SipMessage, now: number): Uint8Array {
    const bytes = serialiseSipMessage(message);
    if (message.status === undefined) this.#clients.sent(message, bytes, now);
    else this.#servers.sent(message, bytes, now);
    return bytes;
  }

  #request(message: SipMessage, now: number): DatagramAction[] {
    const verdict = this.#servers.received(message, now);
    switch (verdict.kind) {
      case 'new':
        return [{ kind: 'deliver', message }];
      case 'again':
        return verdict.resend === undefined ? [] : [{ kind: 'send', bytes: verdict.resend }];
      case 'busy':
        return [{ kind: 'send', bytes: serialiseSipMessage(tooBusy(message)) }];
    }
  }

  #response(message: SipMessage, now: number): DatagramAction[] {
    const { isNew, resend } = this.#clients.received(message, now);
    if (isNew) return [{ kind: 'deliver', message }];
    return resend === undefined ? [] : [{ kind: 'send', bytes: resend }];
  }
}

function tooBusy(request: SipMessage): SipMessage {
  const answer = SipMessage.response(503, 'Service Unavailable');
  for (const name of copiedHeaders) {
    for (const value of request.headers.getAll(name)) answer.headers.add(name, value);
  }
  answer.headers.add('Retry-After', String(retryAfterSeconds));
  return answer;
}

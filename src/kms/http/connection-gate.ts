import type { Socket } from 'node:net';
import type { Clock } from '../../base/clock.ts';
import { describeError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { TokenBuckets, type BucketRate } from '../token-buckets.ts';
import { canonicalAddress, limitKeyOf, type TrustedProxies } from './client-address.ts';
import type { KmsMetrics } from './metrics.ts';
import { takeProxyHeader } from './proxy-protocol.ts';

export interface ConnectionLimits {
  /** Open at a time from one address. */
  readonly connectionsPerAddress: number;
  /** New ones from one address. */
  readonly newConnectionsPerAddress: BucketRate;
}

export interface ConnectionGateOptions {
  /** Absent: every connection passes. */
  readonly limits: ConnectionLimits | undefined;
  /** Addresses remembered for `newConnectionsPerAddress`. */
  readonly maxKeys: number;
  readonly proxies: TrustedProxies;
  /** True: trusted proxies begin each connection with a PROXY protocol header. */
  readonly proxyProtocol: boolean;
  /** For the header of the PROXY protocol. */
  readonly timeoutMilliseconds: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: KmsMetrics;
}

const socketKey = ({ remoteAddress, remotePort }: Pick<Socket, 'remoteAddress' | 'remotePort'>): string =>
  `${String(remoteAddress)} ${String(remotePort)}`;

/**
 * Stands before TLS: finds out whose connection it is and turns away, without a single cryptographic operation, who has too many.
 * The connections of a trusted proxy itself are not counted against it: it speaks for many.
 */
export class ConnectionGate {
  readonly #options: ConnectionGateOptions;
  readonly #rate: TokenBuckets | undefined;
  readonly #openByAddress = new Map<string, number>();
  /** Whose a connection is, where the other end of it is a proxy. */
  readonly #clients = new Map<string, string>();
  #open = 0;

  constructor(options: ConnectionGateOptions) {
    this.#options = options;
    const { limits, maxKeys } = options;
    this.#rate = limits === undefined ? undefined : new TokenBuckets(limits.newConnectionsPerAddress, maxKeys);
  }

  /** Connections that passed and are open. */
  get open(): number {
    return this.#open;
  }

  /** True when the connection may go on to TLS; otherwise it is closed already. */
  async admit(socket: Socket): Promise<boolean> {
    const { proxies, proxyProtocol, timeoutMilliseconds, log } = this.#options;
    const connected = canonicalAddress(String(socket.remoteAddress));
    // It ended before it began.
    if (connected === undefined) return this.#refuse(socket);
    const isProxy = proxies.has(connected);
    if (!isProxy) return this.#count(socket, connected);
    if (!proxyProtocol) return this.#accept(socket);
    try {
      const { source } = await takeProxyHeader(socket, timeoutMilliseconds);
      // Closed meanwhile: no further 'close' would count it down.
      if (socket.destroyed) return false;
      if (source === undefined) return this.#accept(socket);
      const key = socketKey(socket);
      this.#clients.set(key, source);
      socket.once('close', () => this.#clients.delete(key));
      return this.#count(socket, source);
    } catch (error) {
      log.log('warn', 'kms.proxy-header-refused', { reason: describeError(error) });
      return this.#refuse(socket);
    }
  }

  /** Whose connection this is, as far as the connection itself tells. */
  addressOf(socket: Pick<Socket, 'remoteAddress' | 'remotePort'>): string {
    return canonicalAddress(this.#clients.get(socketKey(socket)) ?? String(socket.remoteAddress)) ?? 'unknown';
  }

  #count(socket: Socket, client: string): boolean {
    const { limits, clock, metrics } = this.#options;
    const key = limitKeyOf(client);
    const open = this.#openByAddress.get(key) ?? 0;
    if (limits !== undefined && open >= limits.connectionsPerAddress) {
      metrics.limited('connections');
      return this.#refuse(socket);
    }
    if (this.#rate?.take(key, clock.now()) !== undefined) {
      metrics.limited('connection-rate');
      return this.#refuse(socket);
    }
    this.#openByAddress.set(key, open + 1);
    socket.once('close', () => {
      const left = Number(this.#openByAddress.get(key)) - 1;
      if (left > 0) this.#openByAddress.set(key, left);
      else this.#openByAddress.delete(key);
    });
    return this.#accept(socket);
  }

  #accept(socket: Socket): boolean {
    this.#open++;
    socket.once('close', () => this.#open--);
    return true;
  }

  #refuse(socket: Socket): boolean {
    socket.on('error', () => undefined);
    socket.destroy();
    return false;
  }
}

import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { ProtocolError } from '../../base/errors.ts';
import type { SipConnection, SipHop, SocketAddress } from '../../engine/ports.ts';
import { CloseReport } from './close-report.ts';
import { connectionError } from './connection-error.ts';
import { sipConnectionLimits as limits } from './limits.ts';
import { closedError, queueError } from './stream-connection.ts';

/** What ICMP, or the lack of a way, makes of a send (RFC 3261 18.4); any other failure is one of that datagram alone. */
const endsTheFlow = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETDOWN',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
]);

/**
 * A datagram socket of its own for one flow (RFC 5626 3.1), bound to a free port and connected: datagrams of others do not reach it, and
 * the operating system tells of a server that cannot be reached. That the server is there is not known before it answers.
 * @throws ProtocolError field `sip.connection`
 */
export async function connectDatagrams(hop: SipHop): Promise<SipConnection> {
  const socket = createSocket(isIPv6(hop.address) ? 'udp6' : 'udp4');
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.connect(hop.port, hop.address, (error?: Error) => {
        socket.off('error', reject);
        if (error === undefined) resolve();
        else reject(error);
      });
    });
    return new DatagramConnection(socket, hop);
  } catch (error) {
    socket.close();
    throw connectionError(error, hop);
  }
}

class DatagramConnection implements SipConnection {
  readonly protocol = 'udp';
  readonly framing = 'message';
  readonly tls = undefined;
  readonly localAddress: string;
  readonly localPort: number;
  readonly remote: SocketAddress;
  readonly #hop: SipHop;
  readonly #socket: Socket;
  readonly #report = new CloseReport();
  #listener: ((bytes: Uint8Array) => void) | undefined;
  #held: Uint8Array[] = [];
  #queuedOctets = 0;
  #problem: Error | undefined;

  constructor(socket: Socket, hop: SipHop) {
    this.#socket = socket;
    this.#hop = hop;
    const { address, port } = socket.address();
    this.localAddress = address;
    this.localPort = port;
    this.remote = { host: hop.address, port: hop.port };
    socket.on('message', (datagram) => this.#receive(Uint8Array.from(datagram)));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#report.closed(this.#problem ?? connectionError(new Error('closed'), hop)));
  }

  async send(bytes: Uint8Array): Promise<void> {
    if (this.#report.isOver) throw closedError();
    if (bytes.length > limits.datagramOctets) {
      throw new ProtocolError('local', `${bytes.length} octets`, {
        field: 'sip.datagram',
        expected: `at most ${limits.datagramOctets} octets`,
      });
    }
    if (this.#queuedOctets + bytes.length > limits.queuedOctets) throw queueError();
    this.#queuedOctets += bytes.length;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#socket.send(bytes, (error) => (error === null ? resolve() : reject(error)));
      });
    } catch (error) {
      if (error instanceof Error && 'code' in error && endsTheFlow.has(String(error.code))) this.#fail(error);
      throw connectionError(error, this.#hop);
    } finally {
      this.#queuedOctets -= bytes.length;
    }
  }

  onData(listener: (bytes: Uint8Array) => void): void {
    this.#listener = listener;
    for (const datagram of this.#held.splice(0)) listener(datagram);
  }

  onClose(listener: (error?: Error) => void): void {
    this.#report.onClose(listener);
  }

  close(): void {
    if (this.#report.beginClosing()) this.#socket.close();
  }

  #receive(datagram: Uint8Array): void {
    if (this.#report.isOver) return;
    if (this.#listener !== undefined) this.#listener(datagram);
    else if (this.#held.length < limits.heldDatagrams) this.#held.push(datagram);
  }

  #fail(error: unknown): void {
    if (this.#report.isOver || this.#problem !== undefined) return;
    this.#problem = connectionError(error, this.#hop);
    this.#socket.close();
  }
}

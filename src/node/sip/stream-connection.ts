import type { Socket } from 'node:net';
import { ProtocolError } from '../../base/errors.ts';
import type { SipConnection, SipHop, SocketAddress, TlsFacts } from '../../engine/ports.ts';
import { CloseReport } from './close-report.ts';
import { connectionError } from './connection-error.ts';
import { sipConnectionLimits as limits } from './limits.ts';
import type { OpenedStream } from './open-stream.ts';

/** SIP over TCP and TLS: octets without borders. */
export class StreamConnection implements SipConnection {
  readonly protocol: SipConnection['protocol'];
  readonly framing = 'stream';
  readonly localAddress: string;
  readonly localPort: number;
  readonly remote: SocketAddress;
  readonly tls: TlsFacts | undefined;
  readonly #socket: Socket;
  readonly #report = new CloseReport();

  constructor({ socket, tls }: OpenedStream, hop: SipHop) {
    this.#socket = socket;
    this.tls = tls;
    this.protocol = hop.protocol;
    this.remote = { host: hop.address, port: hop.port };
    this.localAddress = socket.localAddress ?? '';
    this.localPort = socket.localPort ?? 0;
    let problem: Error | undefined;
    socket.on('error', (error) => (problem = connectionError(error, hop)));
    socket.on('end', () => socket.end());
    socket.on('close', () => {
      this.#report.closed(problem ?? connectionError(new Error('closed by the server'), hop));
    });
  }

  send(bytes: Uint8Array): Promise<void> {
    if (this.#report.isOver) return Promise.reject(closedError());
    if (this.#socket.writableLength > limits.queuedOctets) return Promise.reject(queueError());
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }

  onData(listener: (bytes: Uint8Array) => void): void {
    this.#socket.on('data', listener);
  }

  onClose(listener: (error?: Error) => void): void {
    this.#report.onClose(listener);
  }

  close(): void {
    if (!this.#report.beginClosing()) return;
    this.#socket.end();
    const timer = setTimeout(() => this.#socket.destroy(), limits.closeGraceMilliseconds);
    this.#socket.once('close', () => clearTimeout(timer));
    // Without a reader the end of the stream would never be seen.
    this.#socket.resume();
  }
}

export function closedError(): ProtocolError {
  return new ProtocolError('local', 'the connection is closed', { field: 'sip.connection' });
}

export function queueError(): ProtocolError {
  return new ProtocolError('peer-misbehaved', 'the server does not read', {
    field: 'sip.connection',
    expected: `at most ${limits.queuedOctets} octets that wait`,
  });
}

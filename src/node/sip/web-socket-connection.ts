import { isIP } from 'node:net';
import { WebSocket } from 'ws';
import { ProtocolError } from '../../base/errors.ts';
import type { SipConnection, SipHop, SocketAddress, TlsFacts } from '../../engine/ports.ts';
import { CloseReport } from './close-report.ts';
import { connectionError } from './connection-error.ts';
import { sipConnectionLimits as limits } from './limits.ts';
import type { OpenedStream } from './open-stream.ts';
import { closedError, queueError } from './stream-connection.ts';

/** RFC 7118 4.1. */
const subProtocol = 'sip';
/** RFC 6455 7.4.1. */
const normalClosure = 1000;

/** The WebSocket handshake on a connection that stands, and for `wss` is proven. @throws ProtocolError field `sip.webSocket` */
export async function connectWebSocket(
  opened: OpenedStream,
  hop: SipHop,
  timeoutMilliseconds: number,
): Promise<SipConnection> {
  const webSocket = new WebSocket(urlOf(hop), subProtocol, {
    createConnection: () => opened.socket,
    handshakeTimeout: timeoutMilliseconds,
    maxPayload: limits.webSocketMessageOctets,
    // A message of some octets must not become one of many.
    perMessageDeflate: false,
    followRedirects: false,
  });
  // Also when the handshake has failed, and this closes what is left of it.
  webSocket.on('error', () => undefined);
  try {
    await new Promise<void>((resolve, reject) => {
      webSocket.once('error', reject);
      webSocket.once('open', () => {
        // Nothing is lost until somebody listens.
        webSocket.pause();
        webSocket.off('error', reject);
        resolve();
      });
    });
    return new WebSocketConnection(webSocket, opened, hop);
  } catch (error) {
    webSocket.terminate();
    opened.socket.destroy();
    throw handshakeError(error, hop);
  }
}

/** The authority is what the server is asked for by name; where it connects to is settled. @throws ProtocolError `local` */
function urlOf({ protocol, host, port, security, webSocketPath = '/' }: SipHop): URL {
  const asked = isIP(host) === 0 ? host : (security?.serverName ?? host);
  const authority = asked.includes(':') ? `[${asked.replace(/%.*$/, '')}]` : asked;
  if (!/^\/[\x21-\x7e]*$/.test(webSocketPath) || webSocketPath.includes('#')) {
    throw new ProtocolError('local', 'not a path', { field: 'sip.webSocketPath', expected: 'a path like /ws' });
  }
  return new URL(`${protocol}://${authority}:${port}${webSocketPath}`);
}

function handshakeError(error: unknown, hop: SipHop): ProtocolError {
  const isNetwork = error instanceof Error && 'code' in error;
  if (isNetwork || !(error instanceof Error)) return connectionError(error, hop);
  return new ProtocolError('peer-misbehaved', `no WebSocket of SIP: ${error.message}`, {
    field: 'sip.webSocket',
    expected: `a switch to the sub-protocol ${subProtocol}`,
    cause: error,
  });
}

/** SIP over WebSocket (RFC 7118): each message of one is a message of the other. */
class WebSocketConnection implements SipConnection {
  readonly protocol: SipConnection['protocol'];
  readonly framing = 'message';
  readonly localAddress: string;
  readonly localPort: number;
  readonly remote: SocketAddress;
  readonly tls: TlsFacts | undefined;
  readonly #webSocket: WebSocket;
  readonly #report = new CloseReport();
  /** One for all questions that wait: a server that never answers would gather them otherwise. */
  #pong: Promise<void> | undefined;

  constructor(webSocket: WebSocket, { socket, tls }: OpenedStream, hop: SipHop) {
    this.#webSocket = webSocket;
    this.protocol = hop.protocol;
    this.tls = tls;
    this.localAddress = socket.localAddress ?? '';
    this.localPort = socket.localPort ?? 0;
    this.remote = { host: hop.address, port: hop.port };
    let problem: Error | undefined;
    webSocket.on('error', (error) => (problem = transportError(error, hop)));
    webSocket.on('close', (code) => {
      this.#report.closed(problem ?? connectionError(new Error(`closed by the server with code ${code}`), hop));
    });
  }

  /** As text where it is UTF-8, which every server takes (RFC 7118 5.2). */
  send(bytes: Uint8Array): Promise<void> {
    if (this.#report.isOver) return Promise.reject(closedError());
    if (this.#webSocket.bufferedAmount > limits.queuedOctets) return Promise.reject(queueError());
    return new Promise((resolve, reject) => {
      this.#webSocket.send(bytes, { binary: !isUtf8(bytes) }, (error) => (error ? reject(error) : resolve()));
    });
  }

  ping(): Promise<void> {
    if (this.#report.isOver) return Promise.reject(closedError());
    const pong = (this.#pong ??= this.#nextPong());
    return new Promise((resolve, reject) => {
      void pong.then(resolve);
      this.#webSocket.ping(undefined, undefined, (error) => {
        // On success there is none, whatever the type says.
        if (error instanceof Error) reject(error);
      });
    });
  }

  #nextPong(): Promise<void> {
    return new Promise((resolve) => {
      this.#webSocket.once('pong', () => {
        this.#pong = undefined;
        resolve();
      });
    });
  }

  onData(listener: (bytes: Uint8Array) => void): void {
    this.#webSocket.on('message', (message: Buffer) => listener(Uint8Array.from(message)));
    this.#webSocket.resume();
  }

  onClose(listener: (error?: Error) => void): void {
    this.#report.onClose(listener);
  }

  close(): void {
    if (!this.#report.beginClosing()) return;
    this.#webSocket.resume();
    this.#webSocket.close(normalClosure);
    const timer = setTimeout(() => this.#webSocket.terminate(), limits.closeGraceMilliseconds);
    this.#webSocket.once('close', () => clearTimeout(timer));
  }
}

function transportError(error: Error, hop: SipHop): ProtocolError {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (!code.startsWith('WS_ERR_')) return connectionError(error, hop);
  return new ProtocolError('malformed', error.message, {
    field: 'sip.webSocket',
    expected: 'frames of RFC 6455',
    cause: error,
  });
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Logger } from '../../base/log.ts';
import type { ConnectionGate } from './connection-gate.ts';
import { listenOn, portOf, urlOf } from './listening.ts';
import type { ServedCertificate } from './served-certificate.ts';
import { tlsProfile } from './tls-profile.ts';

export interface TlsListenerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly certificate: ServedCertificate;
  /** PEM: every client must have a certificate from there. */
  readonly clientCa?: string;
  readonly gate: ConnectionGate;
  readonly log: Logger;
  /** Open at a time, from everybody together. */
  readonly maxConnections: number;
  /** How long a connection may wait for its next request. */
  readonly keepAliveSeconds: number;
  /** For each of TLS handshake, head, and whole request. */
  readonly timeoutMilliseconds: number;
  onRequest(request: IncomingMessage, response: ServerResponse): void;
  /** A connection came while as many as may were open. */
  onDrop(): void;
}

const maxHeaderOctets = 8 * 1024;
const maxHeaders = 64;
/** After so many the client connects again: load spreads over replicas, and a certificate that was replaced is seen. */
const maxRequestsPerSocket = 1000;

/** HTTPS with keep-alive, and time-outs for every stage at which a client can be slow. */
export class TlsListener {
  readonly #server: Server;
  readonly port: number;
  readonly url: string;
  readonly #sockets: ReadonlySet<Socket>;

  private constructor(server: Server, host: string, sockets: ReadonlySet<Socket>) {
    this.#server = server;
    this.port = portOf(server);
    this.url = urlOf('https', host, this.port);
    this.#sockets = sockets;
  }

  /** Rejects when the port is taken. */
  static async start(options: TlsListenerOptions): Promise<TlsListener> {
    const { certificate, clientCa, gate, log, timeoutMilliseconds } = options;
    const server = createServer({
      ...secureOptions(options),
      requestCert: clientCa !== undefined,
      rejectUnauthorized: clientCa !== undefined,
      maxHeaderSize: maxHeaderOctets,
      headersTimeout: timeoutMilliseconds,
      requestTimeout: timeoutMilliseconds,
      handshakeTimeout: timeoutMilliseconds,
      keepAliveTimeout: options.keepAliveSeconds * 1000,
      // Node looks for late ones every 30 s by itself: three times as long as they may take.
      connectionsCheckingInterval: Math.min(1000, timeoutMilliseconds),
    });
    server.maxConnections = options.maxConnections;
    server.maxHeadersCount = maxHeaders;
    server.maxRequestsPerSocket = maxRequestsPerSocket;
    const sockets = guard(server, gate);
    server.on('request', (request: IncomingMessage, response: ServerResponse) => options.onRequest(request, response));
    server.on('drop', () => options.onDrop());
    server.on('tlsClientError', (error) => log.log('debug', 'kms.tls-failed', { reason: error.message }));
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      log.log('debug', 'kms.http-failed', { reason: error.message });
      refuse(socket, error.code);
    });
    certificate.onChange(() => server.setSecureContext(secureOptions(options)));
    await listenOn(server, options.host, options.port);
    return new TlsListener(server, options.host, sockets);
  }

  /** Takes no new connection and closes those on which nothing happens. Resolves when the last has ended. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeIdleConnections();
    });
  }

  /** Cuts what is still open, at whatever stage. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}

function secureOptions({ certificate, clientCa }: TlsListenerOptions): {
  cert: string;
  key: string;
  ca?: string;
} & typeof tlsProfile {
  const { certificatePem, privateKeyPem } = certificate.identity;
  return {
    ...tlsProfile,
    cert: certificatePem,
    key: privateKeyPem,
    ...(clientCa === undefined ? {} : { ca: clientCa }),
  };
}

/**
 * Puts the gate before the listeners that begin TLS: only what it admits reaches them.
 * @returns the connections that are open, always up to date.
 */
function guard(server: Server, gate: ConnectionGate): ReadonlySet<Socket> {
  const sockets = new Set<Socket>();
  const begin = server.listeners('connection') as ((this: Server, socket: Socket) => void)[];
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    void gate.admit(socket).then((isAdmitted) => {
      if (isAdmitted) for (const listener of begin) listener.call(server, socket);
    });
  });
  return sockets;
}

/** For what is no HTTP, or comes too slowly to be taken for it. */
function refuse(socket: Duplex, code = ''): void {
  const status = refusalOf(code);
  // Anything else has no HTTP to answer in: TLS that never stood would keep an answer, and the connection, for ever.
  if (status === undefined || !socket.writable) {
    socket.destroy();
    return;
  }
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy());
}

function refusalOf(code: string): string | undefined {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return '408 Request Timeout';
  if (code === 'HPE_HEADER_OVERFLOW') return '431 Request Header Fields Too Large';
  return code.startsWith('HPE_') ? '400 Bad Request' : undefined;
}

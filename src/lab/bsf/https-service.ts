import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { TLSSocket, type TlsOptions } from 'node:tls';
import { closeServer, listenOnLoopback } from '../loopback.ts';

export interface ServiceQuestion {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  /** Names in lower case. */
  readonly headers: IncomingMessage['headers'];
  readonly body: Uint8Array;
  readonly socket: TLSSocket;
}

export interface ServiceAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

export interface HttpsServiceOptions {
  readonly tls: { readonly certificatePem: string; readonly privateKeyPem: string };
  /** PEM: only clients with a certificate of this authority get through the handshake. */
  readonly clientAuthority?: string;
  /** 0 for a free one. */
  readonly port: number;
  readonly maxBodyOctets: number;
  readonly answer: (question: ServiceQuestion) => ServiceAnswer;
}

export interface HttpsService {
  readonly port: number;
  stop(): Promise<void>;
}

const maxHeaderOctets = 8 * 1024;
const timeout = 10_000;

/** A small HTTPS server on loopback with bounds on size and time. Rejects when the port is taken. */
export async function startHttpsService(options: HttpsServiceOptions): Promise<HttpsService> {
  const { tls, clientAuthority, port } = options;
  const server = createServer({
    cert: tls.certificatePem,
    key: tls.privateKeyPem,
    minVersion: 'TLSv1.2',
    maxHeaderSize: maxHeaderOctets,
    headersTimeout: timeout,
    requestTimeout: timeout,
    handshakeTimeout: timeout,
    ...(clientAuthority === undefined ? {} : mutual(clientAuthority)),
  });
  server.maxConnections = 256;
  server.on('request', (request, response) => {
    void serve(request, options)
      .then((answer) => send(response, answer))
      .catch(() => response.destroy());
  });
  server.on('clientError', (_error, socket) => socket.destroy());
  const address = await listenOnLoopback(server, port);
  return { port: address.port, stop: () => stop(server) };
}

const mutual = (ca: string): TlsOptions => ({ requestCert: true, rejectUnauthorized: true, ca });

async function serve(request: IncomingMessage, { maxBodyOctets, answer }: HttpsServiceOptions): Promise<ServiceAnswer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > maxBodyOctets) return { status: 413, headers: { Connection: 'close' }, body: new Uint8Array() };
    chunks.push(chunk);
  }
  const { method = '', url = '', headers } = request;
  const { socket } = request;
  if (!(socket instanceof TLSSocket)) throw new Error('a question without TLS');
  return answer({ method, target: url, headers, body: Uint8Array.from(Buffer.concat(chunks)), socket });
}

function send(response: ServerResponse, { status, headers, body }: ServiceAnswer): void {
  response.writeHead(status, { ...headers, 'Content-Length': body.length, 'Cache-Control': 'no-store' });
  response.end(body);
}

async function stop(server: Server): Promise<void> {
  const closed = closeServer(server);
  server.closeAllConnections();
  await closed;
}

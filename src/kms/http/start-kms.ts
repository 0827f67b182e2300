import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../../base/clock.ts';
import { describeError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import { secureRandom } from '../../crypto/random.ts';
import { profile } from '../../protocol/profile.ts';
import type { KmsConfig } from '../config.ts';
import { createMemoryKmsService, type KmsService } from '../kms-service.ts';
import type { TpkEntry } from '../tpk-ring.ts';
import { answerQuestion, plainAnswer, routeQuestion, type AnswerTransform, type HttpAnswer } from './exchange.ts';

interface ServeOptions {
  readonly tls: { readonly certificatePem: string; readonly privateKeyPem: string };
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly log: Logger;
  /** Rehearses a KMS that has been taken over. */
  readonly transformAnswer?: AnswerTransform;
}

export interface KmsServerOptions extends ServeOptions {
  readonly config: KmsConfig;
  readonly clock: Clock;
  /** Ticket protection keys, newest last; without them one is made, and its tickets end with this process. */
  readonly tpks?: readonly TpkEntry[];
  readonly random?: Random;
}

export interface KmsServer {
  /** Base URL for clients. */
  readonly url: string;
  readonly port: number;
  /** Lets running exchanges end for a moment, then cuts. */
  stop(): Promise<void>;
}

const maxHeaderOctets = 8 * 1024;
const maxConnections = 1024;
const maxRequestsPerSocket = 1000;
const stopGraceMilliseconds = 1000;

/**
 * Serves a KMS whose storage is in memory.
 * @throws ProtocolError `local` for a configuration that cannot be; rejects when the port is taken or the certificate unfit.
 */
export async function startKms(options: KmsServerOptions): Promise<KmsServer> {
  const { config, clock, tpks, random = secureRandom } = options;
  return serveKms(await createMemoryKmsService({ config, clock, random, ...(tpks && { tpks }) }), options);
}

/**
 * Serves Ticket Request and Ticket Resolve over HTTPS (profile 6.1). `stop` closes the service too.
 * Rejects when the port is taken or the certificate unfit.
 */
export async function serveKms(service: KmsService, options: ServeOptions): Promise<KmsServer> {
  const { host, log, tls } = options;
  const server = createServer({
    cert: tls.certificatePem,
    key: tls.privateKeyPem,
    minVersion: 'TLSv1.2',
    maxHeaderSize: maxHeaderOctets,
    headersTimeout: profile.kms.timeoutMilliseconds,
    requestTimeout: profile.kms.timeoutMilliseconds,
    handshakeTimeout: profile.kms.timeoutMilliseconds,
    // Node looks for late ones every 30 s by itself: three times as long as they may take.
    connectionsCheckingInterval: 1000,
  });
  server.maxConnections = maxConnections;
  server.maxRequestsPerSocket = maxRequestsPerSocket;
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    void answer(request, service, options)
      .then((made) => {
        log.log(made.status >= 500 ? 'error' : 'info', 'kms.exchange', made.log);
        send(response, made);
      })
      .catch(() => response.destroy());
  });
  server.on('tlsClientError', (error) => log.log('debug', 'kms.tls-failed', { reason: error.message }));
  server.on('clientError', (error, socket) => {
    log.log('debug', 'kms.http-failed', { reason: error.message });
    socket.destroy();
  });
  await listen(server, host, options.port);
  const { port } = server.address() as AddressInfo;
  return {
    url: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    port,
    async stop() {
      await stop(server);
      await service.close();
    },
  };
}

async function answer(
  request: IncomingMessage,
  service: KmsService,
  { transformAnswer }: ServeOptions,
): Promise<HttpAnswer> {
  try {
    const { method = '', url = '', headers } = request;
    const asked = routeQuestion({ method, target: url, contentType: headers['content-type'] });
    if (typeof asked !== 'string') return asked;
    const body = await readBody(request);
    if (body === undefined) return plainAnswer(413, 'body too large');
    return await answerQuestion(service, asked, body, request.socket.remoteAddress ?? '', transformAnswer);
  } catch (error) {
    return request.readableAborted ? plainAnswer(400, 'cut off') : plainAnswer(500, describeError(error));
  }
}

/** `undefined` when the body is longer than any message. */
async function readBody(request: IncomingMessage): Promise<Uint8Array | undefined> {
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > profile.kms.maxBodyOctets) return undefined;
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > profile.kms.maxBodyOctets) return undefined;
    chunks.push(chunk);
  }
  return Uint8Array.from(Buffer.concat(chunks));
}

function send(response: ServerResponse, { status, headers, body }: HttpAnswer): void {
  // What was not read of a refused body would stand in the way of the next request.
  const connection = response.req.complete ? {} : { Connection: 'close' };
  response.writeHead(status, {
    ...headers,
    ...connection,
    'Content-Length': String(body.length),
    'Cache-Control': 'no-store',
  });
  response.end(body);
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
}

async function stop(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), stopGraceMilliseconds);
  await closed;
  clearTimeout(timer);
}

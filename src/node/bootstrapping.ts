import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { connect, type TLSSocket } from 'node:tls';
import type { Bootstrapping, BsfAddress, BsfConnection, BsfReply, TlsKeyExporter } from '../engine/ports.ts';
import { profile } from '../protocol/profile.ts';
import { explainHttpsFailure, httpsUrl, readBoundedBody, serverTlsOptions } from './https-client.ts';
import { exportTlsKey } from './tls-exporter.ts';

export interface HttpsBootstrappingOptions {
  /** For one question, from the first octet to the last of the answer. */
  readonly timeoutMilliseconds?: number;
}

/** Speaks to a BSF over HTTPS (profile 6.3). The server's certificate must prove its name; redirects are not followed. */
export function createHttpsBootstrapping({
  timeoutMilliseconds = profile.bootstrapping.timeoutMilliseconds,
}: HttpsBootstrappingOptions = {}): Bootstrapping {
  return { open: (bsf) => new HttpsBsfConnection(bsf, timeoutMilliseconds) };
}

/** HTTP over one TLS connection that is already there, so that its keys can be exported before the question is written. */
class OneConnectionAgent extends Agent {
  readonly #socket: TLSSocket;

  constructor(socket: TLSSocket) {
    super({ keepAlive: true, maxSockets: 1, maxFreeSockets: 1 });
    this.#socket = socket;
  }

  override createConnection(): Duplex {
    return this.#socket;
  }
}

interface Channel {
  readonly socket: TLSSocket;
  readonly agent: OneConnectionAgent;
}

class HttpsBsfConnection implements BsfConnection {
  readonly #bsf: BsfAddress;
  readonly #url: URL;
  readonly #timeout: number;
  #channel: Channel | undefined;

  constructor(bsf: BsfAddress, timeout: number) {
    this.#bsf = bsf;
    this.#url = httpsUrl(bsf, 'bsf.url');
    this.#timeout = timeout;
  }

  async ask(compose: (exportKey: TlsKeyExporter) => Readonly<Record<string, string>>): Promise<BsfReply> {
    const signal = AbortSignal.timeout(this.#timeout);
    try {
      const { socket, agent } = await this.#open(signal);
      const headers = compose((label, length) => exportTlsKey(socket, label, length));
      const response = await get(this.#url, agent, headers, signal);
      const body = await readBoundedBody(response, profile.bootstrapping.maxBodyOctets, 'bsf.body');
      if (response.headers.connection?.toLowerCase() === 'close') this.close();
      return { status: response.statusCode ?? 0, headers: singleHeaders(response), body };
    } catch (error) {
      this.close();
      throw explainHttpsFailure(error, signal.aborted, 'bsf');
    }
  }

  close(): void {
    this.#channel?.agent.destroy();
    this.#channel?.socket.destroy();
    this.#channel = undefined;
  }

  async #open(signal: AbortSignal): Promise<Channel> {
    const open = this.#channel;
    if (open !== undefined && !open.socket.destroyed && open.socket.readable && open.socket.writable) return open;
    this.close();
    const socket = await connectTls(this.#url, this.#bsf, signal);
    this.#channel = { socket, agent: new OneConnectionAgent(socket) };
    return this.#channel;
  }
}

function connectTls(url: URL, bsf: BsfAddress, signal: AbortSignal): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port === '' ? 443 : Number(url.port),
      ALPNProtocols: ['http/1.1'],
      ...serverTlsOptions(url, bsf),
    });
    const abort = (): void => {
      socket.destroy(new Error('no answer in time'));
    };
    signal.addEventListener('abort', abort, { once: true });
    const settle = (): void => signal.removeEventListener('abort', abort);
    socket.once('secureConnect', () => {
      settle();
      // Between two questions nobody else listens: a connection that breaks then is made again.
      socket.on('error', () => socket.destroy());
      resolve(socket);
    });
    socket.once('error', (error: Error) => {
      settle();
      reject(error);
    });
  });
}

function get(
  url: URL,
  agent: Agent,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asked = httpRequest({
      method: 'GET',
      path: `${url.pathname}${url.search}`,
      agent,
      signal,
      headers: { Host: url.host, Accept: profile.bootstrapping.contentType, 'Cache-Control': 'no-store', ...headers },
    });
    asked.on('response', resolve);
    asked.on('error', reject);
    asked.end();
  });
}

/** Headers that may come once; of several `WWW-Authenticate` Node makes one list, which is no challenge that we answer. */
function singleHeaders({ headers }: IncomingMessage): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]),
  );
}

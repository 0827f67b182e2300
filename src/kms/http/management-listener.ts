import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { KmsMetrics } from './metrics.ts';
import type { ReadinessProbe } from './readiness.ts';
import { listenOn, portOf, urlOf } from './listening.ts';

export interface ManagementOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly metrics: KmsMetrics;
  readonly readiness: ReadinessProbe;
}

export interface ManagementListener {
  readonly url: string;
  stop(): Promise<void>;
}

const timeoutMilliseconds = 5000;
const maxConnections = 64;
const json = 'application/json';

interface Page {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
}

/**
 * `/healthz`, `/readyz` and `/metrics`, over plain HTTP on a listener of their own: whoever may reach the KMS need not be able to see
 * how it is.
 */
export async function startManagement(options: ManagementOptions): Promise<ManagementListener> {
  const server = createServer({ headersTimeout: timeoutMilliseconds, requestTimeout: timeoutMilliseconds });
  server.maxConnections = maxConnections;
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    void pageFor(request, options)
      .then((page) => send(response, request.method === 'HEAD', page))
      .catch(() => response.destroy());
  });
  server.on('clientError', (_error, socket) => socket.destroy());
  await listenOn(server, options.host, options.port);
  return {
    url: urlOf('http', options.host, portOf(server)),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function pageFor(
  { method, url = '' }: IncomingMessage,
  { metrics, readiness }: ManagementOptions,
): Promise<Page> {
  if (method !== 'GET' && method !== 'HEAD') return page(405, { error: 'method' });
  switch (url.split('?')[0]) {
    // Alive is whoever can say so: a storage that is away is no reason to start the process again.
    case '/healthz':
      return page(200, { alive: true });
    case '/readyz': {
      const result = await readiness.read();
      return page(result.ready ? 200 : 503, result);
    }
    case '/metrics': {
      const { contentType, text } = await metrics.render();
      return { status: 200, contentType, text };
    }
    default:
      return page(404, { error: 'path' });
  }
}

const page = (status: number, content: object): Page => ({
  status,
  contentType: json,
  text: `${JSON.stringify(content)}\n`,
});

function send(response: ServerResponse, isHead: boolean, { status, contentType, text }: Page): void {
  response.writeHead(status, {
    'Content-Type': contentType,
    'Content-Length': String(Buffer.byteLength(text)),
    'Cache-Control': 'no-store',
  });
  response.end(isHead ? undefined : text);
}

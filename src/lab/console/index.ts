import { createServer, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { utf8 } from '../../base/bytes.ts';
import type { Logger } from '../../base/log.ts';
import { createBridge } from '../../node/bridge/bridge.ts';
import type { BridgeHost } from '../../node/bridge/host.ts';
import { loadPages, type Page } from '../../node/screens/pages.ts';
import { securityHeaders } from '../../node/screens/security-headers.ts';
import type { PickedFiles } from '../../node/bridge/picked-files.ts';
import { Access } from './access.ts';
import type { Downloads } from './downloads.ts';
import { serveBridge } from './bridge-socket.ts';
import { Uploads } from './uploads.ts';

export interface ConsoleOptions {
  readonly host: BridgeHost;
  /** Title of the page until it knows its account. */
  readonly title: string;
  /** Folder of the built screens: dist/renderer. */
  readonly rendererDir: string;
  /** Port on 127.0.0.1; 0, the default, takes a free one. */
  readonly port?: number;
  readonly log?: Logger;
  /** Where the host looks for files that the page uploads; without it the page can upload none. */
  readonly picked?: PickedFiles;
  /** What the page may download. */
  readonly downloads?: Downloads;
}

export interface Console {
  /** Opens the screens once, in one browser; reloading that page keeps working. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Where the page puts a file that is to be sent: one POST each. */
const uploadPath = '/files';
const callOctets = 1024 * 1024;
const connectionsPerPage = 16;

/**
 * Serves the screens of one host to a browser of this machine.
 * @throws Error when the screens are not built or the port is taken.
 */
export async function startConsole(options: ConsoleOptions): Promise<Console> {
  const pages = await loadPages(options.rendererDir, options.title);
  const server = createServer({ maxHeaderSize: 16 * 1024 });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  const access = new Access(port);
  const bridge = createBridge(options);
  const sockets = new WebSocketServer({ noServer: true, maxPayload: callOctets, perMessageDeflate: false });

  const uploads = options.picked === undefined ? undefined : new Uploads(options.picked);
  server.on('request', (request, response) => {
    if (request.method === 'POST' && request.url === uploadPath && uploads !== undefined) {
      void answerUpload(request, access, uploads).then((answer) => respond(request, response, answer));
    } else if (isDownload(request, access, options.downloads)) {
      void options.downloads?.send(request.url ?? '', response, securityHeaders());
    } else respond(request, response, answerTo(request, access, pages));
  });
  server.on('upgrade', (request, stream: Duplex, head) => {
    const isWelcome =
      request.url === '/bridge' &&
      access.isRightHost(request) &&
      access.isRightOrigin(request) &&
      access.hasSession(request) &&
      sockets.clients.size < connectionsPerPage;
    if (!isWelcome) stream.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    else sockets.handleUpgrade(request, stream, head, (socket) => serveBridge(socket, bridge));
  });

  return {
    url: `http://127.0.0.1:${port}/enter?token=${access.token}`,
    async stop() {
      bridge.close();
      for (const socket of sockets.clients) socket.terminate();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
      await uploads?.stop();
      await options.downloads?.stop();
    },
  };
}

interface Answer {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Uint8Array;
}

function answerTo(request: IncomingMessage, access: Access, pages: ReadonlyMap<string, Page>): Answer {
  if (!access.isRightHost(request)) return refusal(403, 'This name does not belong to the console.');
  if (request.method !== 'GET' && request.method !== 'HEAD') return refusal(405, 'Only GET is answered.');
  const url = new URL(request.url ?? '/', 'http://console.invalid');
  if (url.pathname === '/enter') return enter(request, access, url.searchParams.get('token') ?? '');
  if (url.pathname === refusalStyle.path) {
    return { status: 200, headers: { 'Content-Type': 'text/css; charset=utf-8' }, body: utf8(refusalStyle.text) };
  }
  if (!access.hasSession(request)) {
    return refusal(
      403,
      'This page opens by the address that was printed at its start, in the browser that used it first.',
    );
  }
  const page = pages.get(url.pathname);
  if (page === undefined) return refusal(404, 'There is no such page.');
  return { status: 200, headers: { 'Content-Type': page.contentType }, body: page.body };
}

/** Only for the browser that has the session. */
function isDownload(request: IncomingMessage, access: Access, downloads: Downloads | undefined): boolean {
  const isWelcome = request.method === 'GET' && access.isRightHost(request) && access.hasSession(request);
  return isWelcome && downloads?.has(request.url ?? '') === true;
}

/** Only the page itself, in the browser that has the session: the same proof as for its bridge. */
async function answerUpload(request: IncomingMessage, access: Access, uploads: Uploads): Promise<Answer> {
  if (!access.isRightHost(request) || !access.isRightOrigin(request) || !access.hasSession(request)) {
    return refusal(403, 'Only the page of this console may upload.');
  }
  const outcome = await uploads.take(request);
  const said = outcome.status === 200 ? outcome.file : { explanation: outcome.explanation };
  // What is left of a body that was refused is not read.
  const close = outcome.status === 200 ? {} : { Connection: 'close' };
  return {
    status: outcome.status,
    headers: { 'Content-Type': 'application/json', ...close },
    body: utf8(JSON.stringify(said)),
  };
}

function enter(request: IncomingMessage, access: Access, token: string): Answer {
  const cookie = access.hasSession(request) ? undefined : access.exchange(token);
  if (cookie === undefined && !access.hasSession(request)) {
    return refusal(
      403,
      'This address is not right, or another browser used it first. Each address opens one browser: use that one, or start Tessera again to get a new address.',
    );
  }
  const headers = { Location: '/', ...(cookie === undefined ? {} : { 'Set-Cookie': cookie }) };
  return { status: 303, headers, body: new Uint8Array() };
}

function refusal(status: number, explanation: string): Answer {
  return { status, headers: { 'Content-Type': 'text/html; charset=utf-8' }, body: utf8(refusalPage(explanation)) };
}

/** A file of its own: the pages' policy allows no styles inside HTML. */
const refusalStyle = {
  path: '/refused.css',
  text: 'body { max-width: 32em; margin: 15vh auto 0; padding: 0 24px; font: 400 16px/1.5 system-ui, sans-serif }\nh1 { font-size: 20px }\n',
};

/** @param explanation a text of ours: nothing that came in stands on this page. */
function refusalPage(explanation: string): string {
  return `<!doctype html>
<html lang="en">
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width">
  <meta name="color-scheme" content="light dark">
  <link rel="stylesheet" href="${refusalStyle.path}">
  <title>Not opened · Tessera</title>
  <h1>Not opened</h1>
  <p>${explanation}</p>
</html>
`;
}

function respond(request: IncomingMessage, response: ServerResponse, { status, headers, body }: Answer): void {
  const host = request.headers.host ?? '';
  const connect = /^(127\.0\.0\.1|localhost):\d+$/.test(host) ? [`ws://${host}`] : [];
  response.writeHead(status, { ...securityHeaders(connect), ...headers, 'Content-Length': body.length });
  response.end(request.method === 'HEAD' ? undefined : body);
}

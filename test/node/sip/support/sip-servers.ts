import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { onTestFinished } from 'vitest';
import { WebSocketServer, type ServerOptions } from 'ws';
import type { CertificateAuthority, LeafNames } from '../../../../src/crypto/certificate-authority.ts';
import type { SipConnection, SipTarget, SipTransport } from '../../../../src/engine/ports.ts';

/** Ended, with what else this test has opened, when it is over. */
export function closeAfterTest(close: () => void): void {
  onTestFinished(close);
}

export async function listen(server: Server, address = '127.0.0.1'): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  closeAfterTest(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  return (server.address() as AddressInfo).port;
}

/** The best place of the target, connected. */
export async function open(transport: SipTransport, target: SipTarget): Promise<SipConnection> {
  const [hop] = await transport.locate(target);
  if (hop === undefined) throw new Error('no place');
  const connection = await transport.connect(hop);
  closeAfterTest(() => connection.close());
  return connection;
}

export const nextData = (connection: SipConnection): Promise<Uint8Array> =>
  new Promise((resolve) => connection.onData(resolve));

export const whenClosed = (connection: SipConnection): Promise<Error | undefined> =>
  new Promise((resolve) => connection.onClose(resolve));

/** A TLS server that sends back what it gets. */
export async function tlsEcho(certificate: TlsOptions): Promise<number> {
  const server = createTlsServer({ minVersion: 'TLSv1', ...certificate }, (socket) => {
    socket.on('error', () => undefined).pipe(socket);
  });
  server.on('tlsClientError', () => undefined);
  return listen(server);
}

export async function issued(
  authority: CertificateAuthority,
  names: Partial<LeafNames> = { dnsNames: ['edge.lab.test'] },
): Promise<{ readonly cert: string; readonly key: string }> {
  const { certificatePem, privateKeyPem } = await authority.issue({ dnsNames: [], ipAddresses: [], ...names });
  return { cert: certificatePem, key: privateKeyPem };
}

export interface WebSocketEcho {
  readonly port: number;
  /** `Host` and path of each handshake. */
  readonly asked: { host: string | undefined; path: string | undefined }[];
  /** What came, and whether it was a binary message. */
  readonly received: { bytes: Uint8Array; isBinary: boolean }[];
  readonly webSockets: WebSocketServer;
}

/** A WebSocket server that sends back what it gets, over TLS with a certificate. */
export async function webSocketEcho(certificate?: TlsOptions, options: ServerOptions = {}): Promise<WebSocketEcho> {
  const server = certificate === undefined ? createHttpServer() : createHttpsServer(certificate);
  server.on('tlsClientError', () => undefined);
  const webSockets = new WebSocketServer({
    server,
    handleProtocols: (offered) => (offered.has('sip') ? 'sip' : false),
    ...options,
  });
  const asked: WebSocketEcho['asked'] = [];
  const received: WebSocketEcho['received'] = [];
  webSockets.on('connection', (socket, request) => {
    asked.push({ host: request.headers.host, path: request.url });
    socket.on('error', () => undefined);
    socket.on('message', (message: Buffer, isBinary) => {
      received.push({ bytes: Uint8Array.from(message), isBinary });
      socket.send(message, { binary: isBinary });
    });
  });
  closeAfterTest(() => webSockets.close());
  return { port: await listen(server), asked, received, webSockets };
}

import { createServer as createHttpServer } from 'node:http';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { WebSocketServer } from 'ws';
import { utf8 } from '../../../src/base/bytes.ts';
import { createCertificateAuthority, type CertificateAuthority } from '../../../src/crypto/certificate-authority.ts';
import { readOwnCertificate } from '../../../src/crypto/key-files.ts';
import type { SipTarget } from '../../../src/engine/ports.ts';
import { createNodeSipTransport } from '../../../src/node/sip/transport.ts';
import { issued, listen, nextData, open, webSocketEcho, whenClosed } from './support/sip-servers.ts';

const transport = createNodeSipTransport({ connectTimeoutMilliseconds: 30_000 });
let authority: CertificateAuthority;

beforeAll(async () => {
  authority = await createCertificateAuthority({ commonName: 'Test root', now: Date.now() });
}, 60_000);

const plain = (port: number): SipTarget => ({ host: '127.0.0.1', port, protocol: 'ws' });
const secured = (port: number): SipTarget => ({
  host: '127.0.0.1',
  port,
  protocol: 'wss',
  serverName: 'edge.lab.test',
  trustedCa: authority.certificatePem,
});

describe('SIP over WebSocket (RFC 7118)', () => {
  it('carries one SIP message in one message, text where it is text', async () => {
    const server = await webSocketEcho();
    const connection = await open(transport, { ...plain(server.port), webSocketPath: '/sip?a=b' });
    expect(connection).toMatchObject({
      protocol: 'ws',
      framing: 'message',
      localAddress: '127.0.0.1',
      remote: { host: '127.0.0.1', port: server.port },
      tls: undefined,
    });
    const text = nextData(connection);
    await connection.send(utf8('MESSAGE sip:é'));
    expect(await text).toEqual(utf8('MESSAGE sip:é'));
    const octets = Uint8Array.of(0x53, 0xff, 0xfe);
    const binary = nextData(connection);
    await connection.send(octets);
    expect(await binary).toEqual(octets);
    expect(server.received.map(({ isBinary }) => isBinary)).toEqual([false, true]);
    expect(server.asked).toEqual([{ host: `127.0.0.1:${server.port}`, path: '/sip?a=b' }]);
  });

  it('proves the server over wss, asks for it by its name, and tells what was proven', async () => {
    const server = await webSocketEcho(await issued(authority));
    const connection = await open(transport, secured(server.port));
    const echoed = nextData(connection);
    await connection.send(utf8('OPTIONS'));
    expect(await echoed).toEqual(utf8('OPTIONS'));
    expect(connection).toMatchObject({ protocol: 'wss', tls: { serverProof: 'authority' } });
    expect(server.asked).toEqual([{ host: `edge.lab.test:${server.port}`, path: '/' }]);
    const other = open(transport, { ...secured(server.port), serverName: 'other.test' });
    await expect(other).rejects.toMatchObject({ field: 'sip.tls' });
    expect(server.asked).toHaveLength(1);
  });

  it('shows a client certificate over wss to a server that demands one', async () => {
    const ca = authority.certificatePem;
    const server = await webSocketEcho({
      ...(await issued(authority)),
      requestCert: true,
      rejectUnauthorized: true,
      ca,
    });
    const names = { dnsNames: ['alice.lab.test'], ipAddresses: [] };
    const { certificatePem, privateKeyPem } = await authority.issue(names, { alsoClient: true });
    const clientCertificate = readOwnCertificate(
      { certificate: utf8(certificatePem), privateKey: utf8(privateKeyPem) },
      'server',
    );
    const connection = await open(transport, { ...secured(server.port), clientCertificate });
    expect(connection.protocol).toBe('wss');
    await expect(open(transport, secured(server.port))).rejects.toMatchObject({ name: 'ProtocolError' });
  });

  it('refuses a server that does not speak SIP over WebSocket', async () => {
    const other = await webSocketEcho(undefined, { handleProtocols: () => false });
    await expect(open(transport, plain(other.port))).rejects.toMatchObject({
      field: 'sip.webSocket',
      message: expect.stringMatching(/sub-?protocol/i) as string,
    });
    const web = await listen(createHttpServer((_, response) => response.writeHead(404).end()));
    await expect(open(transport, plain(web))).rejects.toMatchObject({
      field: 'sip.webSocket',
      message: expect.stringContaining('404') as string,
    });
    const redirect = createHttpServer((_, response) =>
      response.writeHead(302, { Location: 'ws://127.0.0.1:1/' }).end(),
    );
    await expect(open(transport, plain(await listen(redirect)))).rejects.toThrow(/302/);
  });

  it('refuses a path that is none before it asks', async () => {
    const server = await webSocketEcho();
    for (const webSocketPath of ['ws', '/a b', '/a#b', '/\r\nX: y']) {
      await expect(open(transport, { ...plain(server.port), webSocketPath })).rejects.toMatchObject({
        kind: 'local',
        field: 'sip.webSocketPath',
      });
    }
    expect(server.asked).toEqual([]);
  });

  it('closes on a message that is too large', async () => {
    const server = await webSocketEcho();
    server.webSockets.on('connection', (socket) => socket.send(new Uint8Array(2 * 1024 * 1024)));
    const connection = await open(transport, plain(server.port));
    const closed = whenClosed(connection);
    connection.onData(() => undefined);
    expect(await closed).toMatchObject({ kind: 'malformed', field: 'sip.webSocket' });
  });

  it('gathers no listeners for a server that answers no ping', async () => {
    const server = createHttpServer();
    const sockets = new WebSocketServer({ server, autoPong: false, handleProtocols: () => 'sip' });
    const warnings: string[] = [];
    const warned = (warning: Error): void => void warnings.push(warning.name);
    process.on('warning', warned);
    onTestFinished(() => void process.off('warning', warned));
    let pings = 0;
    const all = new Promise<void>((resolve) => {
      sockets.on('connection', (socket) => socket.on('ping', () => ++pings === 12 && resolve()));
    });
    const connection = await open(transport, plain(await listen(server)));
    connection.onData(() => undefined);
    for (let turn = 0; turn < 12; turn++) void connection.ping?.();
    await all;
    const answered = connection.ping?.();
    for (const socket of sockets.clients) socket.pong();
    await answered;
    expect(warnings).toEqual([]);
    sockets.close();
  });

  it('loses nothing that the server says before anybody listens', async () => {
    const server = await webSocketEcho();
    server.webSockets.on('connection', (socket) => socket.send('OPTIONS'));
    const connection = await open(transport, plain(server.port));
    expect(await nextData(connection)).toEqual(utf8('OPTIONS'));
  });

  it('reports the close of the server as an error and our own as none', async () => {
    const server = await webSocketEcho();
    const lost = await open(transport, plain(server.port));
    lost.onData(() => undefined);
    const whenLost = whenClosed(lost);
    for (const client of server.webSockets.clients) client.close(1001);
    expect(await whenLost).toMatchObject({
      field: 'sip.connection',
      message: expect.stringContaining('1001') as string,
    });
    await expect(lost.send(utf8('x'))).rejects.toMatchObject({ field: 'sip.connection' });
    const ended = await open(transport, plain(server.port));
    const whenEnded = whenClosed(ended);
    ended.close();
    expect(await whenEnded).toBeUndefined();
  });
});

import { createServer as createTcpServer, type AddressInfo, type Server } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { createCertificateAuthority, type CertificateAuthority } from '../../src/crypto/certificate-authority.ts';
import type { SipConnection, SipTarget } from '../../src/engine/ports.ts';
import { createNodeSipTransport } from '../../src/node/sip-transport.ts';

const transport = createNodeSipTransport({ connectTimeoutMilliseconds: 2000 });
let authority: CertificateAuthority;
const opened: (Server | SipConnection)[] = [];

beforeAll(async () => {
  authority = await createCertificateAuthority({ commonName: 'Test root', now: Date.now() });
});
afterEach(() => {
  for (const item of opened.splice(0)) item.close();
});

async function listen(server: Server): Promise<number> {
  opened.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** A TLS server that sends back what it gets. */
async function tlsEcho(options: { maxVersion?: 'TLSv1.1' | 'TLSv1.2' } = {}): Promise<SipTarget> {
  const { certificatePem, privateKeyPem } = await authority.issue({ dnsNames: ['edge.lab.test'], ipAddresses: [] });
  const settings = { cert: certificatePem, key: privateKeyPem, minVersion: 'TLSv1', ...options } as const;
  const server = createTlsServer(settings, (socket) => socket.on('error', () => undefined).pipe(socket));
  server.on('tlsClientError', () => undefined);
  const port = await listen(server);
  const trustedCa = authority.certificatePem;
  return { host: '127.0.0.1', port, protocol: 'tls', serverName: 'edge.lab.test', trustedCa };
}

async function open(target: SipTarget): Promise<SipConnection> {
  const [hop] = await transport.locate(target);
  if (hop === undefined) throw new Error('no place');
  const connection = await transport.connect(hop);
  opened.push(connection);
  return connection;
}

describe('node SIP transport', () => {
  it('carries octets over TLS and tells what the handshake proved', async () => {
    const connection = await open(await tlsEcho());
    const echoed = new Promise<Uint8Array>((resolve) => connection.onData((bytes) => resolve(bytes)));
    await connection.send(utf8('OPTIONS'));
    expect(Uint8Array.from(await echoed)).toEqual(utf8('OPTIONS'));
    expect(connection).toMatchObject({ protocol: 'tls', localAddress: '127.0.0.1' });
    expect(connection.tls?.version).toMatch(/^TLSv1\.[23]$/);
    expect(connection.tls?.suite).toMatch(/^TLS_/);
    expect(connection.tls?.peerCertificate?.sha256).toMatch(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
  });

  it('refuses a server that proves another name, or whose root is not trusted', async () => {
    const target = await tlsEcho();
    await expect(open({ ...target, serverName: 'other.test' })).rejects.toMatchObject({ field: 'sip.tls' });
    const stranger = await createCertificateAuthority({ commonName: 'Stranger', now: Date.now() });
    await expect(open({ ...target, trustedCa: stranger.certificatePem })).rejects.toMatchObject({ field: 'sip.tls' });
  });

  it('refuses TLS below 1.2 and TLS without a name to prove', async () => {
    await expect(open(await tlsEcho({ maxVersion: 'TLSv1.1' }))).rejects.toThrow();
    const nameless = transport.connect({ host: '127.0.0.1', address: '127.0.0.1', port: 1, protocol: 'tls' });
    await expect(nameless).rejects.toMatchObject({ kind: 'local' });
  });

  it('reports the close of the server as an error and our own as none', async () => {
    const server = createTcpServer((socket) => socket.once('data', () => socket.end()));
    const target = { host: '127.0.0.1', port: await listen(server), protocol: 'tcp' } as const;
    const closed = (connection: SipConnection): Promise<Error | undefined> =>
      new Promise((resolve) => connection.onClose(resolve));
    const lost = await open(target);
    lost.onData(() => undefined);
    const whenLost = closed(lost);
    await lost.send(utf8('x'));
    await expect(whenLost).resolves.toBeInstanceOf(Error);
    await expect(lost.send(utf8('x'))).rejects.toThrow('closed');
    const ended = await open(target);
    const whenEnded = closed(ended);
    ended.close();
    await expect(whenEnded).resolves.toBeUndefined();
    expect(lost).toMatchObject({ protocol: 'tcp', tls: undefined });
  });

  it('says that nobody listens', async () => {
    const server = createTcpServer();
    const port = await listen(server);
    await new Promise((resolve) => server.close(resolve));
    await expect(open({ host: '127.0.0.1', port, protocol: 'tcp' })).rejects.toThrow(/ECONNREFUSED/);
  });
});

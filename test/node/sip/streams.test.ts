import { createServer as createTcpServer } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import forge from 'node-forge';
import { beforeAll, describe, expect, it } from 'vitest';
import { utf8 } from '../../../src/base/bytes.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { createCertificateAuthority, type CertificateAuthority } from '../../../src/crypto/certificate-authority.ts';
import { readOwnCertificate, readPkcs12 } from '../../../src/crypto/key-files.ts';
import type { ClientCertificate, SipTarget } from '../../../src/engine/ports.ts';
import { createNodeSipTransport } from '../../../src/node/sip/transport.ts';
import { issue, makeKeys, privateKeyPem } from '../../support/pki.ts';
import { issued, listen, nextData, open, tlsEcho, whenClosed } from './support/sip-servers.ts';

const transport = createNodeSipTransport({ connectTimeoutMilliseconds: 30_000 });
let authority: CertificateAuthority;

beforeAll(async () => {
  authority = await createCertificateAuthority({ commonName: 'Test root', now: Date.now() });
}, 60_000);

async function tlsTarget(options: { maxVersion?: 'TLSv1.1' | 'TLSv1.2' } = {}): Promise<SipTarget> {
  const port = await tlsEcho({ ...(await issued(authority)), ...options });
  return {
    host: '127.0.0.1',
    port,
    protocol: 'tls',
    serverName: 'edge.lab.test',
    trustedCa: authority.certificatePem,
  };
}

describe('SIP over TCP and TLS', () => {
  it('carries octets over TLS and tells what the handshake proved', async () => {
    const target = await tlsTarget();
    const connection = await open(transport, target);
    const echoed = nextData(connection);
    await connection.send(utf8('OPTIONS'));
    expect(await echoed).toEqual(Buffer.from('OPTIONS'));
    expect(connection).toMatchObject({
      protocol: 'tls',
      framing: 'stream',
      localAddress: '127.0.0.1',
      remote: { host: '127.0.0.1', port: target.port },
    });
    expect(connection.tls?.version).toMatch(/^TLSv1\.[23]$/);
    expect(connection.tls?.suite).toMatch(/^TLS_/);
    expect(connection.tls?.serverProof).toBe('authority');
    expect(connection.tls?.peerCertificate?.sha256).toMatch(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
  });

  it('refuses a server that proves another name, or whose root is not trusted, and says which', async () => {
    const target = await tlsTarget();
    await expect(open(transport, { ...target, serverName: 'other.test' })).rejects.toMatchObject({
      field: 'sip.tls',
      message: expect.stringMatching(/of another name.*expected a certificate that proves other\.test/) as string,
    });
    const stranger = await createCertificateAuthority({ commonName: 'Stranger', now: Date.now() });
    await expect(open(transport, { ...target, trustedCa: stranger.certificatePem })).rejects.toMatchObject({
      field: 'sip.tls',
      message: expect.stringContaining('authority') as string,
    });
  });

  it('has the name proven that was asked for when no other is set, whatever the records made of it', async () => {
    const port = await tlsEcho(await issued(authority));
    const viaDns = createNodeSipTransport({
      dns: {
        naptr: () => Promise.resolve([]),
        srv: (name) =>
          Promise.resolve(
            name === '_sips._tcp.lab.test' ? [{ priority: 0, weight: 0, port, target: 'edge.lab.test' }] : [],
          ),
        addresses: () => Promise.resolve(['127.0.0.1']),
      },
      connectTimeoutMilliseconds: 30_000,
    });
    // The server is the one that the records name, and proves that name: it is not the one of the domain.
    const target = { host: 'lab.test', trustedCa: authority.certificatePem };
    await expect(open(viaDns, target)).rejects.toMatchObject({ field: 'sip.tls' });
    const connection = await open(viaDns, { ...target, serverName: 'edge.lab.test' });
    expect(connection.tls?.serverProof).toBe('authority');
  });

  it('refuses TLS below 1.2, and a hop without a name to prove', async () => {
    await expect(open(transport, await tlsTarget({ maxVersion: 'TLSv1.1' }))).rejects.toMatchObject({
      field: 'sip.tls',
    });
    const nameless = transport.connect({ host: '127.0.0.1', address: '127.0.0.1', port: 1, protocol: 'tls' });
    await expect(nameless).rejects.toMatchObject({ kind: 'local', field: 'sip.hop.security' });
  });

  it('reports the close of the server as an error and our own as none', async () => {
    const server = createTcpServer((socket) => socket.once('data', () => socket.end()));
    const target = { host: '127.0.0.1', port: await listen(server), protocol: 'tcp' } as const;
    const lost = await open(transport, target);
    lost.onData(() => undefined);
    const whenLost = whenClosed(lost);
    await lost.send(utf8('x'));
    expect(await whenLost).toMatchObject({
      field: 'sip.connection',
      message: expect.stringContaining('closed') as string,
    });
    await expect(lost.send(utf8('x'))).rejects.toThrow('closed');
    const ended = await open(transport, target);
    const whenEnded = whenClosed(ended);
    ended.close();
    expect(await whenEnded).toBeUndefined();
    expect(lost).toMatchObject({ protocol: 'tcp', tls: undefined });
  });

  it('says that nobody listens', async () => {
    const server = createTcpServer();
    const port = await listen(server);
    await new Promise((resolve) => server.close(resolve));
    await expect(open(transport, { host: '127.0.0.1', port, protocol: 'tcp' })).rejects.toMatchObject({
      field: 'sip.connection',
      message: expect.stringContaining(`127.0.0.1:${port}: ECONNREFUSED`) as string,
    });
  });

  it('gives up on a server that never finishes its handshake', async () => {
    const port = await listen(createTcpServer());
    const hasty = createNodeSipTransport({ connectTimeoutMilliseconds: 50 });
    const target = { host: '127.0.0.1', port, protocol: 'tls', serverName: 'edge.lab.test' } as const;
    await expect(open(hasty, target)).rejects.toThrow(/timed out/);
  });

  it('does not queue without end for a server that does not read', async () => {
    const server = createTcpServer((socket) => socket.pause());
    const connection = await open(transport, { host: '127.0.0.1', port: await listen(server), protocol: 'tcp' });
    const piece = new Uint8Array(1024 * 1024);
    const sends: Promise<void>[] = [];
    const refused = new Promise<unknown>((resolve) => {
      // What the operating system takes is its own choice; far less than this.
      for (let count = 0; count < 64; count++) sends.push(connection.send(piece).catch(resolve));
    });
    expect(await refused).toMatchObject({
      field: 'sip.connection',
      message: expect.stringContaining('does not read') as string,
    });
  });
});

describe('client certificates', () => {
  async function certificateOf(issuer: CertificateAuthority): Promise<ClientCertificate> {
    const names = { dnsNames: ['alice.lab.test'], ipAddresses: [] };
    const { certificatePem, privateKeyPem } = await issuer.issue(names, { alsoClient: true });
    return readOwnCertificate({ certificate: utf8(certificatePem), privateKey: utf8(privateKeyPem) }, 'server');
  }

  /** A server that demands a certificate of its authority, and sends back whose it got. */
  async function demanding(maxVersion: 'TLSv1.2' | 'TLSv1.3', ca = authority.certificatePem): Promise<SipTarget> {
    const settings = { ...(await issued(authority)), requestCert: true, rejectUnauthorized: true, ca, maxVersion };
    const server = createTlsServer(settings, (socket: TLSSocket) => {
      socket.on('error', () => undefined);
      socket.on('data', () => socket.write(String(socket.getPeerCertificate().subject.CN)));
    });
    server.on('tlsClientError', () => undefined);
    const port = await listen(server);
    const trustedCa = authority.certificatePem;
    return { host: '127.0.0.1', port, protocol: 'tls', serverName: 'edge.lab.test', trustedCa };
  }

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('prove us to a server that demands one, %s', async (version) => {
    const target = await demanding(version);
    const connection = await open(transport, { ...target, clientCertificate: await certificateOf(authority) });
    const told = nextData(connection);
    await connection.send(utf8('whose?'));
    expect(Buffer.from(await told).toString()).toBe('alice.lab.test');
    expect(connection.tls?.version).toBe(version);
  });

  it('come from PKCS #12 too', async () => {
    const root = await issue({ name: 'Root of users', keys: await makeKeys(), authority: true });
    const own = await issue({ name: 'bob.lab.test', keys: await makeKeys(), issuer: root });
    const { asn1, pki, pkcs12 } = forge;
    const key = pki.privateKeyFromPem(privateKeyPem(own.keys));
    const options = { algorithm: 'aes256', count: 100 } as const;
    const file = pkcs12.toPkcs12Asn1(key, pki.certificateFromPem(own.pem), 'pass phrase', options);
    const bytes = Uint8Array.from(Buffer.from(asn1.toDer(file).getBytes(), 'binary'));
    const clientCertificate = readPkcs12(bytes, 'server', new SecretBytes(utf8('pass phrase')));
    const target = await demanding('TLSv1.3', root.pem);
    const connection = await open(transport, { ...target, clientCertificate });
    const told = nextData(connection);
    await connection.send(utf8('whose?'));
    expect(Buffer.from(await told).toString()).toBe('bob.lab.test');
  });

  /** In TLS 1.3 the server judges after the client is done: the connection stands, and is closed with the alert. */
  async function refusal(target: SipTarget): Promise<unknown> {
    try {
      const connection = await open(transport, target);
      connection.onData(() => undefined);
      return await whenClosed(connection);
    } catch (error) {
      return error;
    }
  }

  it('that are wanted and not there are told as such (TLS 1.3)', async () => {
    const target = await demanding('TLSv1.3');
    expect(await refusal(target)).toMatchObject({
      field: 'sip.tls.client-certificate',
      message: expect.stringContaining('wants a certificate of ours') as string,
    });
  });

  it('of another authority do not pass', async () => {
    const stranger = await createCertificateAuthority({ commonName: 'Stranger', now: Date.now() });
    const clientCertificate = await certificateOf(stranger);
    // Node's server says nothing and closes.
    expect(await refusal({ ...(await demanding('TLSv1.3')), clientCertificate })).toMatchObject({
      name: 'ProtocolError',
      field: 'sip.connection',
    });
  });

  it('without one the handshake of TLS 1.2 fails', async () => {
    expect(await refusal(await demanding('TLSv1.2'))).toMatchObject({ name: 'ProtocolError' });
  });

  it('that do not belong to their key are refused here, without a word of the key', async () => {
    const { certificates } = await certificateOf(authority);
    const target = await demanding('TLSv1.3');
    const clientCertificate = { certificates, privateKey: new SecretBytes(utf8('no key at all')) };
    const failure = await refusal({ ...target, clientCertificate });
    expect(failure).toMatchObject({ kind: 'local', field: 'sip.tls.client-certificate' });
    expect((failure as Error).cause).toBeUndefined();
  });
});

import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect as connectTls, createServer, type TLSSocket } from 'node:tls';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { fromUtf8 } from '../../src/base/bytes.ts';
import { certificateFingerprint, createDeviceCertificate } from '../../src/crypto/certificate.ts';
import { md5, sha1 } from '../../src/crypto/digest.ts';
import type {
  DeviceCertificate,
  Fingerprint,
  MsrpConnection,
  MsrpSecurity,
  MsrpSockets,
} from '../../src/engine/ports.ts';
import { createNodeMsrpSockets } from '../../src/node/msrp-sockets.ts';

const early = 'MSRP early SEND\r\nsaid before anybody was checked';
const patience = 30_000;

let sockets: MsrpSockets;
let own: DeviceCertificate;
let peer: DeviceCertificate;
let stranger: DeviceCertificate;
const open: { close(): void }[] = [];

beforeAll(async () => {
  sockets = await createNodeMsrpSockets();
  const now = Date.now();
  own = await createDeviceCertificate({ commonName: 'own', now });
  peer = await createDeviceCertificate({ commonName: 'peer', now });
  stranger = await createDeviceCertificate({ commonName: 'stranger', now });
});
afterEach(() => {
  for (const item of open.splice(0)) item.close();
});

function expecting(...peerFingerprints: Fingerprint[]): MsrpSecurity {
  return { mode: 'fingerprint', certificate: own, peerFingerprints };
}

const thePeer = (): MsrpSecurity => expecting({ hash: 'sha-256', value: peer.sha256 });

function credentials({ certificatePem, privateKeyPem }: DeviceCertificate): { cert: string; key: Buffer } {
  return { cert: certificatePem, key: privateKeyPem.use((bytes) => Buffer.from(bytes)) };
}

interface ForeignPeer {
  readonly socket: TLSSocket;
  /** All that it was told above TLS. */
  readonly heard: Buffer[];
  readonly closed: Promise<void>;
}

function listenedTo(socket: TLSSocket): ForeignPeer {
  const heard: Buffer[] = [];
  socket.on('data', (bytes: Buffer) => heard.push(bytes)).on('error', () => undefined);
  open.push({ close: () => socket.destroy() });
  return { socket, heard, closed: new Promise((resolve) => socket.once('close', () => resolve())) };
}

/** A client that speaks as soon as its own half of the handshake is done. */
function hastyClient(port: number, certificate: DeviceCertificate, version: 'TLSv1.2' | 'TLSv1.3'): ForeignPeer {
  const socket = connectTls({
    host: '127.0.0.1',
    port,
    rejectUnauthorized: false,
    minVersion: version,
    maxVersion: version,
    ...credentials(certificate),
  });
  socket.once('secureConnect', () => socket.write(early));
  return listenedTo(socket);
}

async function hastyServer(
  certificate: DeviceCertificate,
  version: 'TLSv1.2' | 'TLSv1.3',
): Promise<{ readonly port: number; readonly heard: Buffer[]; readonly closed: Promise<void> }> {
  const server = createServer({
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: version,
    maxVersion: version,
    ...credentials(certificate),
  });
  open.push({ close: () => server.close() });
  const heard: Buffer[] = [];
  server.on('secureConnection', (socket: TLSSocket) => {
    socket.on('data', (bytes: Buffer) => heard.push(bytes)).on('error', () => undefined);
    socket.write(early);
  });
  const closed = new Promise<void>((resolve) => {
    server.on('connection', (socket: Socket) => socket.once('close', () => resolve()));
  });
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return { port: typeof address === 'object' && address !== null ? address.port : 0, heard, closed };
}

function firstHeard(connection: MsrpConnection): Promise<string> {
  open.push(connection);
  return new Promise((resolve) => {
    let all = '';
    connection.onData((bytes) => {
      all += fromUtf8(bytes, 'test');
      if (all.length >= early.length) resolve(all);
    });
  });
}

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('a peer that speaks before it is checked, %s', (version) => {
  it('is heard when it connects and is the announced one', async () => {
    const listener = await sockets.listen();
    open.push(listener);
    const accepting = listener.accept(thePeer(), patience);
    hastyClient(listener.address.port, peer, version);
    expect(await firstHeard(await accepting)).toBe(early);
  });

  it('is heard when we connect and it is the announced one', async () => {
    const { port } = await hastyServer(peer, version);
    const connection = await sockets.connect({ host: '127.0.0.1', port }, thePeer(), patience);
    expect(await firstHeard(connection)).toBe(early);
  });

  it('is not heard and told nothing when it connects with another certificate; the announced one still may', async () => {
    const listener = await sockets.listen();
    open.push(listener);
    const accepting = listener.accept(thePeer(), patience);
    const wrong = hastyClient(listener.address.port, stranger, version);
    await wrong.closed;
    hastyClient(listener.address.port, peer, version);
    const connection = await accepting;
    expect(connection.tls?.peerCertificate?.sha256).toBe(peer.sha256);
    expect(await firstHeard(connection)).toBe(early);
    expect(wrong.heard).toEqual([]);
  });

  it('is not heard and told nothing when we connect and it has another certificate', async () => {
    const server = await hastyServer(stranger, version);
    const connecting = sockets.connect({ host: '127.0.0.1', port: server.port }, thePeer(), patience);
    await expect(connecting).rejects.toMatchObject({ kind: 'peer-misbehaved', field: 'tls.fingerprint' });
    await server.closed;
    expect(server.heard).toEqual([]);
  });
});

describe('the hashes of fingerprints (RFC 8122, profile 2.4)', () => {
  const der = (): Uint8Array => Buffer.from(peer.certificatePem.replace(/-----.*-----|\s/g, ''), 'base64');
  const colons = (digest: Uint8Array): string =>
    (Buffer.from(digest).toString('hex').toUpperCase().match(/../g) ?? []).join(':');
  const values: Readonly<Record<string, () => string>> = {
    'sha-256': () => certificateFingerprint('sha-256', der()),
    'sha-384': () => certificateFingerprint('sha-384', der()),
    'sha-512': () => certificateFingerprint('sha-512', der()),
    'sha-1': () => colons(sha1(der())),
    md5: () => colons(md5(der())),
  };
  const right = (hash: string): Fingerprint => ({ hash, value: values[hash.toLowerCase()]?.() ?? '' });
  const wrong = (hash: string): Fingerprint => ({ hash, value: right(hash).value.replace(/../, '00') });

  async function reach(fingerprints: readonly Fingerprint[]): Promise<MsrpConnection> {
    const { port } = await hastyServer(peer, 'TLSv1.3');
    const connection = await sockets.connect({ host: '127.0.0.1', port }, expecting(...fingerprints), patience);
    open.push(connection);
    return connection;
  }

  it.each<[string, () => Fingerprint[]]>([
    ['sha-256', () => [right('sha-256')]],
    ['sha-384', () => [right('sha-384')]],
    ['sha-512', () => [right('sha-512')]],
    ['SHA-256 in lower-case digits', () => [{ hash: 'SHA-256', value: right('sha-256').value.toLowerCase() }]],
    ['one of several, the others of other certificates', () => [wrong('sha-256'), wrong('sha-512'), right('sha-384')]],
    ['a strong one beside a weak one', () => [right('sha-1'), right('sha-256')]],
  ])('%s is enough', async (_, fingerprints) => {
    expect((await reach(fingerprints())).tls?.peerCertificate?.sha256).toBe(peer.sha256);
  });

  it.each<[string, string, () => Fingerprint[]]>([
    ['sha-1 alone', 'policy-denied', () => [right('sha-1')]],
    ['md5 alone', 'policy-denied', () => [right('md5')]],
    ['weak ones alone', 'policy-denied', () => [right('sha-1'), right('md5')]],
    ['an unknown hash', 'policy-denied', () => [{ hash: 'sha-999', value: right('sha-256').value }]],
    ['nothing', 'policy-denied', () => []],
    [
      'a weak one that matches beside a strong one that does not',
      'peer-misbehaved',
      () => [right('sha-1'), wrong('sha-256')],
    ],
    [
      'a value under the name of another hash',
      'peer-misbehaved',
      () => [{ hash: 'sha-512', value: right('sha-256').value }],
    ],
    ['an empty value', 'peer-misbehaved', () => [{ hash: 'sha-256', value: '' }]],
  ])('%s is not', async (_, kind, fingerprints) => {
    await expect(reach(fingerprints())).rejects.toMatchObject({ kind, field: 'tls.fingerprint' });
  });
});

describe('renegotiation (TLS 1.2)', () => {
  it('is refused to a peer that asks for it, and nothing more is taken from it', async () => {
    const listener = await sockets.listen();
    open.push(listener);
    const accepting = listener.accept(thePeer(), patience);
    const { socket } = hastyClient(listener.address.port, peer, 'TLSv1.2');
    const connection = await accepting;
    expect(await firstHeard(connection)).toBe(early);
    const suite = connection.tls?.suite;
    const refused = new Promise<Error>((resolve) => {
      socket.once('error', resolve);
      socket.renegotiate({}, (error) => {
        if (error !== null) resolve(error);
      });
    });
    expect(String(await refused)).toMatch(/renegotiation|closed|reset|EPIPE|hang up/i);
    expect(connection.tls?.suite).toBe(suite);
  });
});

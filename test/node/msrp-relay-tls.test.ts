import type { AddressInfo } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { afterEach, describe, expect, it, test } from 'vitest';
import {
  createCertificateAuthority,
  type CertificateAuthority,
  type LeafOptions,
} from '../../src/crypto/certificate-authority.ts';
import type { MsrpConnection } from '../../src/engine/ports.ts';
import { findRelay } from '../../src/node/msrp/find-relay.ts';
import { createNodeMsrpSockets } from '../../src/node/msrp-sockets.ts';

const patience = 30_000;
let server: Server | undefined;
let connection: MsrpConnection | undefined;
const accepted: TLSSocket[] = [];

afterEach(async () => {
  connection?.close();
  connection = undefined;
  for (const socket of accepted.splice(0)) socket.destroy();
  await new Promise<void>((resolve) => (server === undefined ? resolve() : server.close(() => resolve())));
  server = undefined;
});

const authority = (commonName = 'relays'): Promise<CertificateAuthority> =>
  createCertificateAuthority({ commonName, now: Date.now() });

async function listen(signer: CertificateAuthority, dnsName: string, options: LeafOptions = {}): Promise<number> {
  const { certificatePem, privateKeyPem } = await signer.issue({ dnsNames: [dnsName], ipAddresses: [] }, options);
  const listening = createServer({
    cert: certificatePem,
    key: privateKeyPem,
    requestCert: true,
    rejectUnauthorized: false,
  });
  listening.on('secureConnection', (socket) => {
    socket.on('error', () => undefined);
    accepted.push(socket);
  });
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  return (listening.address() as AddressInfo).port;
}

async function connect(port: number, trustedCa: string, serverName = 'relay.example'): Promise<MsrpConnection> {
  const sockets = await createNodeMsrpSockets();
  connection = await sockets.connect({ host: '127.0.0.1', port }, { mode: 'relay', serverName, trustedCa }, patience);
  return connection;
}

describe('TLS to a relay (RFC 4976 section 9.2)', { timeout: 60_000 }, () => {
  it('sends the name, shows no certificate, and takes one that proves it', async () => {
    const signer = await authority();
    const port = await listen(signer, 'relay.example');
    const seen = new Promise<TLSSocket>((resolve) => server?.once('secureConnection', resolve));
    const made = await connect(port, signer.certificatePem);
    expect(made.security).toBe('relay');
    expect(made.tls?.version).toMatch(/^TLSv1\.[23]$/);
    const socket = await seen;
    expect((socket as TLSSocket & { readonly servername: unknown }).servername).toBe('relay.example');
    expect(socket.getPeerCertificate()).toEqual({});
  });

  const hour = 3_600_000;
  test.each([
    ['of another name', 'other.example', {}],
    ['of a name with this one at its end', 'not-relay.example', {}],
    ['that is over', 'relay.example', { validFrom: Date.now() - 48 * hour, validUntil: Date.now() - 24 * hour }],
    [
      'that is not yet valid',
      'relay.example',
      { validFrom: Date.now() + 24 * hour, validUntil: Date.now() + 48 * hour },
    ],
  ] as const)('refuses a certificate %s', async (_what, dnsName, options) => {
    const signer = await authority();
    const port = await listen(signer, dnsName, options);
    await expect(connect(port, signer.certificatePem)).rejects.toMatchObject({ field: 'tls.relay' });
  });

  it('refuses a certificate of somebody who is not trusted', async () => {
    const port = await listen(await authority(), 'relay.example');
    const other = await authority('somebody else');
    await expect(connect(port, other.certificatePem)).rejects.toMatchObject({ field: 'tls.relay' });
  });

  it('is never accepted: a relay does not connect to us', async () => {
    const sockets = await createNodeMsrpSockets();
    const listener = await sockets.listen();
    const taken = listener.accept({ mode: 'relay', serverName: 'relay.example' }, patience);
    const made = await sockets.connect(listener.address, { mode: 'plain' }, patience);
    connection = made;
    made.write(new TextEncoder().encode('MSRP a AUTH\r\n'));
    listener.close();
    await expect(taken).rejects.toThrow();
  });
});

describe('finds a relay that is named without a port', () => {
  const record = (name: string, port: number, priority: number, weight: number) => ({ name, port, priority, weight });
  test.each([
    [
      'by priority, then weight',
      [record('b', 2, 1, 5), record('c', 3, 2, 9), record('a', 1, 1, 9)],
      ['a:1', 'b:2', 'c:3'],
    ],
    ['at its own name when there is no service', [], ['relay.example:2855']],
    ['at its own name when the service is not offered', [record('.', 0, 0, 0)], ['relay.example:2855']],
  ])('%s', async (_how, records, expected) => {
    const asked: string[] = [];
    const found = await findRelay('relay.example', (service) => {
      asked.push(service);
      return Promise.resolve(records);
    });
    expect(asked).toEqual(['_msrps._tcp.relay.example']);
    expect(found.map(({ host, port }) => `${host}:${port}`)).toEqual(expected);
  });

  test('at its own name when nothing can be looked up', async () => {
    expect(await findRelay('relay.example', () => Promise.reject(new Error('ENOTFOUND')))).toEqual([
      { host: 'relay.example', port: 2855 },
    ]);
  });
});

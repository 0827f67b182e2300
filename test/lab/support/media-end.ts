import { connect as connectTcp, createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls, createSecureContext, TLSSocket } from 'node:tls';
import { createDeviceCertificate, certificateSha256, type DeviceCertificate } from '../../../src/crypto/certificate.ts';
import { buildMsrpMedia, createSessionDescription, formatSdp } from '../../../src/protocol/sdp/index.ts';
import type { MsrpMediaOptions } from '../../../src/protocol/sdp/index.ts';

/** The media side of a scripted UE: a port, a certificate, and plain byte streams instead of MSRP. */
export class MediaEnd {
  readonly certificate: DeviceCertificate;
  readonly port: number;
  readonly path: string;
  readonly #server: Server;
  readonly #incoming: Promise<Socket>;
  #stream: Duplex | undefined;

  static async create(name: string): Promise<MediaEnd> {
    const certificate = await createDeviceCertificate({ commonName: name, now: Date.now() });
    const server = createServer({ pauseOnConnect: true });
    const incoming = new Promise<Socket>((resolve) => server.once('connection', resolve));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    return new MediaEnd(name, certificate, server, incoming, port);
  }

  private constructor(
    name: string,
    certificate: DeviceCertificate,
    server: Server,
    incoming: Promise<Socket>,
    port: number,
  ) {
    this.certificate = certificate;
    this.#server = server;
    this.#incoming = incoming;
    this.port = port;
    this.path = `msrps://127.0.0.1:${port}/${name};tcp`;
  }

  sdp(options: Partial<MsrpMediaOptions> = {}): { type: string; text: string } {
    const media = buildMsrpMedia({
      protocol: 'TCP/TLS/MSRP',
      port: this.port,
      address: '127.0.0.1',
      path: [this.path],
      setup: 'actpass',
      acceptTypes: ['text/plain'],
      ...options,
    });
    const description = createSessionDescription({ id: '1', version: '1', address: '127.0.0.1', media: [media] });
    return { type: 'application/sdp', text: formatSdp(description) };
  }

  get fingerprint(): { hash: string; value: string } {
    return { hash: 'sha-256', value: this.certificate.sha256 };
  }

  /** Connects; with TLS the certificate that the other side showed must be the expected one. */
  async connect(port: number, tls?: { readonly expect: string }): Promise<Duplex> {
    const socket = connectTcp({ host: '127.0.0.1', port });
    socket.on('error', () => undefined);
    await new Promise((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('close', reject);
    });
    if (tls === undefined) return this.#keep(socket);
    const secured = connectTls({ ...this.#credentials(), socket, checkServerIdentity: () => undefined });
    return this.#secured(secured, 'secureConnect', tls.expect);
  }

  async accept(tls?: { readonly expect: string }): Promise<Duplex> {
    const socket = await this.#incoming;
    if (tls === undefined) return this.#keep(socket);
    const credentials = this.#credentials();
    const secured = new TLSSocket(socket, {
      ...credentials,
      isServer: true,
      requestCert: true,
      secureContext: createSecureContext(credentials),
    });
    return this.#secured(secured, 'secure', tls.expect);
  }

  close(): void {
    this.#server.close();
    this.#stream?.destroy();
  }

  async #secured(secured: TLSSocket, event: string, expected: string): Promise<Duplex> {
    secured.on('error', () => undefined);
    await new Promise((resolve, reject) => {
      secured.once(event, resolve);
      secured.once('close', () => reject(new Error('closed during the handshake')));
    });
    const shown = secured.getPeerX509Certificate()?.raw;
    if (shown === undefined || certificateSha256(shown) !== expected) throw new Error('wrong certificate');
    return this.#keep(secured);
  }

  #keep(stream: Duplex): Duplex {
    this.#stream = stream;
    stream.on('error', () => undefined);
    return stream;
  }

  #credentials(): { key: Buffer; cert: string; rejectUnauthorized: boolean } {
    const key = this.certificate.privateKeyPem.use((pem) => Buffer.from(pem));
    return { key, cert: this.certificate.certificatePem, rejectUnauthorized: false };
  }
}

/** Reads until that many octets came. */
export async function readOctets(stream: Duplex, count: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let octets = 0;
  for await (const part of stream.iterator({ destroyOnReturn: false })) {
    parts.push(part as Buffer);
    octets += (part as Buffer).length;
    if (octets >= count) break;
  }
  return Buffer.concat(parts);
}

import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls, TLSSocket } from 'node:tls';
import { lookup } from 'node:dns/promises';
import { ProtocolError } from '../base/errors.ts';
import { describeCertificate } from '../crypto/certificate.ts';
import type { SipConnection, SipHop, SipTarget, SipTransport, SocketAddress, TlsFacts } from '../engine/ports.ts';

export interface NodeSipTransportOptions {
  /** Name look-up, connection and TLS handshake together. */
  readonly connectTimeoutMilliseconds?: number;
}

/** Octets that may wait for a slow server before `send` refuses more. */
const maxQueuedOctets = 4 * 1024 * 1024;
/** How long a closed connection may take to flush before it is cut. */
const closeGraceMilliseconds = 1000;

/** SIP over TCP and TLS from Node's sockets. There is no way to skip the check of the server's certificate. */
export function createNodeSipTransport({
  connectTimeoutMilliseconds = 10_000,
}: NodeSipTransportOptions = {}): SipTransport {
  return { locate, connect: (hop) => connect(hop, connectTimeoutMilliseconds) };
}

async function locate(target: SipTarget): Promise<readonly SipHop[]> {
  const { host, protocol = 'tls', port = protocol === 'tls' ? 5061 : 5060, serverName = host, trustedCa } = target;
  const trusted = trustedCa === undefined ? {} : { trustedCa };
  const security = { serverName, trust: 'system-or-ca', ...trusted } as const;
  const addresses = await lookup(host, { all: true });
  return addresses.map(({ address }) => ({
    protocol,
    address,
    port,
    host,
    ...(protocol === 'tls' ? { security } : {}),
  }));
}

function connect(target: SipHop, timeout: number): Promise<SipConnection> {
  return new Promise((resolve, reject) => {
    const socket = openSocket(target);
    socket.setTimeout(timeout);
    const fail = (error: Error): void => {
      socket.destroy();
      reject(explain(error, target));
    };
    socket.once('error', fail);
    socket.once('timeout', () => fail(new Error('timed out')));
    socket.once('close', () => fail(new Error('closed during the handshake')));
    socket.once(target.protocol === 'tls' ? 'secureConnect' : 'connect', () => {
      for (const event of ['error', 'timeout', 'close']) socket.removeAllListeners(event);
      socket.setTimeout(0);
      resolve(new NodeSipConnection(socket, target));
    });
  });
}

function openSocket({ address: host, port, protocol, security }: SipHop): Socket {
  if (protocol === 'tcp') return connectTcp({ host, port, noDelay: true, keepAlive: true });
  if (security === undefined) {
    throw new ProtocolError('local', 'missing', { field: 'sip.target.serverName', expected: 'the name to be proven' });
  }
  const { serverName, trustedCa } = security;
  const socket = connectTls({
    host,
    port,
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
    // Whatever name the library would derive, the one that must be proven is the configured one.
    checkServerIdentity: (_, certificate) => checkServerIdentity(serverName, certificate),
    ...(isIP(serverName) === 0 ? { servername: serverName } : {}),
    ...(trustedCa === undefined ? {} : { ca: trustedCa }),
  });
  socket.setNoDelay(true);
  socket.setKeepAlive(true);
  return socket;
}

/** The message names what failed, never what was exchanged. */
function explain(error: Error & { readonly code?: string }, { host, port, protocol }: SipHop): Error {
  // Codes of the operating system say nothing about TLS; OpenSSL's and X.509's do.
  const isNetwork = error.code === undefined || /^E[A-Z]+$/.test(error.code);
  const isTls = protocol === 'tls' && !isNetwork;
  if (isTls) {
    return new ProtocolError('peer-misbehaved', `${error.code ?? 'TLS'} from ${host}:${port}`, {
      field: 'sip.tls',
      expected: 'a certificate that proves the server name',
      cause: error,
    });
  }
  return new Error(`cannot connect to ${host}:${port}: ${error.code ?? error.message}`, { cause: error });
}

class NodeSipConnection implements SipConnection {
  readonly protocol: 'tls' | 'tcp';
  readonly framing = 'stream';
  readonly remote: SocketAddress;
  readonly localAddress: string;
  readonly localPort: number;
  readonly tls: TlsFacts | undefined;
  readonly #socket: Socket;
  #error: Error | undefined;
  #isClosed = false;
  #isClosing = false;
  #closeListener: ((error?: Error) => void) | undefined;

  constructor(socket: Socket, hop: SipHop) {
    this.remote = { host: hop.address, port: hop.port };
    this.#socket = socket;
    this.tls = socket instanceof TLSSocket ? factsOf(socket) : undefined;
    this.protocol = this.tls === undefined ? 'tcp' : 'tls';
    this.localAddress = socket.localAddress ?? '';
    this.localPort = socket.localPort ?? 0;
    socket.on('error', (error) => (this.#error = error));
    socket.on('end', () => socket.end());
    socket.on('close', () => {
      this.#isClosed = true;
      this.#reportClose();
    });
  }

  send(bytes: Uint8Array): Promise<void> {
    if (this.#isClosed || this.#isClosing) return Promise.reject(new Error('connection closed'));
    if (this.#socket.writableLength > maxQueuedOctets) return Promise.reject(new Error('server does not read'));
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }

  onData(listener: (bytes: Uint8Array) => void): void {
    this.#socket.on('data', listener);
  }

  onClose(listener: (error?: Error) => void): void {
    this.#closeListener = listener;
    if (this.#isClosed) this.#reportClose();
  }

  close(): void {
    if (this.#isClosed || this.#isClosing) return;
    this.#isClosing = true;
    this.#socket.end();
    const timer = setTimeout(() => this.#socket.destroy(), closeGraceMilliseconds);
    this.#socket.once('close', () => clearTimeout(timer));
    // Without a reader the end of the stream would never be seen.
    this.#socket.resume();
  }

  #reportClose(): void {
    const listener = this.#closeListener;
    this.#closeListener = undefined;
    if (this.#isClosing) listener?.();
    else listener?.(this.#error ?? new Error('connection closed by the server'));
  }
}

function factsOf(socket: TLSSocket): TlsFacts {
  const der = socket.getPeerCertificate().raw as Uint8Array | undefined;
  return {
    version: socket.getProtocol() ?? 'unknown',
    suite: socket.getCipher().standardName,
    ...(der === undefined ? {} : { peerCertificate: describeCertificate(Uint8Array.from(der)) }),
  };
}

import { ProtocolError } from '../../../src/base/errors.ts';
import { equalBytes } from '../../../src/base/bytes.ts';
import type {
  CertificateFacts,
  MsrpConnection,
  MsrpListener,
  MsrpSecurity,
  MsrpSockets,
  SocketAddress,
} from '../../../src/engine/ports.ts';

interface Waiting {
  readonly address: SocketAddress;
  readonly security: MsrpSecurity;
  readonly settle: (result: MsrpConnection | Error) => void;
}

/** Listeners and connections in memory, with the checks that the two TLS modes make. */
export class MemoryMsrpNetwork {
  readonly #listeners = new Map<number, MemoryListener>();
  #nextPort = 40_000;
  connections = 0;
  /** Everything that went over any connection, for looking into. */
  readonly written: Uint8Array[] = [];
  /** Replaces what a connecting side shows as certificate or key. */
  tamper: ((security: MsrpSecurity) => MsrpSecurity) | undefined;

  sockets(host: string, canDoPskTls = true): MsrpSockets {
    return {
      canDoPskTls,
      listen: async () => {
        const listener = new MemoryListener(
          { host, port: this.#nextPort++ },
          (port) => this.#listeners.delete(port),
          this.written,
        );
        this.#listeners.set(listener.address.port, listener);
        return listener;
      },
      connect: (address, security) => {
        const listener = this.#listeners.get(address.port);
        if (listener === undefined) {
          return Promise.reject(
            new ProtocolError('peer-incompatible', 'connection refused', { field: 'msrp.connection' }),
          );
        }
        this.connections += 1;
        return listener.arrive({ host, port: 9 }, this.tamper?.(security) ?? security);
      },
    };
  }
}

class MemoryListener implements MsrpListener {
  readonly address: SocketAddress;
  readonly #onClose: (port: number) => void;
  readonly #written: Uint8Array[];
  #arrived: Waiting[] = [];
  #accepting: Waiting | undefined;

  constructor(address: SocketAddress, onClose: (port: number) => void, written: Uint8Array[]) {
    this.address = address;
    this.#written = written;
    this.#onClose = onClose;
  }

  arrive(address: SocketAddress, security: MsrpSecurity): Promise<MsrpConnection> {
    return new Promise((resolve, reject) => {
      this.#arrived.push({ address, security, settle: settler(resolve, reject) });
      this.#match();
    });
  }

  accept(security: MsrpSecurity): Promise<MsrpConnection> {
    return new Promise((resolve, reject) => {
      this.#accepting = { address: this.address, security, settle: settler(resolve, reject) };
      this.#match();
    });
  }

  close(): void {
    this.#onClose(this.address.port);
    const gone = new ProtocolError('peer-misbehaved', 'closed', { field: 'msrp.connection' });
    for (const waiting of [...this.#arrived, this.#accepting]) waiting?.settle(gone);
    this.#arrived = [];
    this.#accepting = undefined;
  }

  #match(): void {
    const server = this.#accepting;
    const client = server && this.#arrived.shift();
    if (server === undefined || client === undefined) return;
    this.#accepting = undefined;
    const problem = handshakeProblem(client.security, server.security);
    if (problem !== undefined) {
      client.settle(problem);
      server.settle(problem);
      return;
    }
    const [near, far] = pipe(client, server, this.#written);
    client.settle(near);
    server.settle(far);
  }
}

function settler(resolve: (connection: MsrpConnection) => void, reject: (error: Error) => void) {
  return (result: MsrpConnection | Error): void => {
    if (result instanceof Error) reject(result);
    else resolve(result);
  };
}

function handshakeProblem(client: MsrpSecurity, server: MsrpSecurity): ProtocolError | undefined {
  if (client.mode !== server.mode) return failure('msrp.tls');
  if (client.mode === 'psk' && server.mode === 'psk') {
    const same = client.psk.use((a) => server.psk.use((b) => equalBytes(a, b)));
    return same ? undefined : failure('msrp.tls');
  }
  if (client.mode === 'fingerprint' && server.mode === 'fingerprint') {
    const known = (shown: MsrpSecurity & { mode: 'fingerprint' }, by: MsrpSecurity & { mode: 'fingerprint' }) =>
      by.peerFingerprints.some(({ value }) => value === shown.certificate.sha256);
    return known(client, server) && known(server, client) ? undefined : failure('msrp.fingerprint');
  }
  return undefined;
}

function failure(field: string): ProtocolError {
  return new ProtocolError('peer-misbehaved', 'handshake failed', { field });
}

function pipe(client: Waiting, server: Waiting, written: Uint8Array[]): [MsrpConnection, MsrpConnection] {
  const near = new MemoryConnection(client, server, written);
  const far = new MemoryConnection(server, client, written);
  near.other = far;
  far.other = near;
  return [near, far];
}

class MemoryConnection implements MsrpConnection {
  readonly security: MsrpSecurity['mode'];
  readonly tls: MsrpConnection['tls'];
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  other: MemoryConnection | undefined;
  readonly #held: Uint8Array[] = [];
  #listener: ((bytes: Uint8Array) => void) | undefined;
  readonly #closeListeners: (() => void)[] = [];
  #closed = false;

  readonly #written: Uint8Array[];

  constructor(own: Waiting, peer: Waiting, written: Uint8Array[]) {
    this.#written = written;
    this.security = own.security.mode;
    this.local = own.address;
    this.remote = peer.address;
    this.tls = tlsFacts(own.security, peer.security);
  }

  write(bytes: Uint8Array): boolean {
    const copy = Uint8Array.from(bytes);
    this.#written.push(copy);
    if (!this.#closed) queueMicrotask(() => this.other?.deliver(copy));
    return true;
  }

  deliver(bytes: Uint8Array): void {
    if (this.#closed) return;
    if (this.#listener === undefined) this.#held.push(bytes);
    else this.#listener(bytes);
  }

  onDrain(): void {
    /* never full */
  }

  onData(listener: (bytes: Uint8Array) => void): void {
    this.#listener = listener;
    for (const bytes of this.#held.splice(0)) queueMicrotask(() => listener(bytes));
  }

  pause(): void {
    /* not modelled */
  }

  resume(): void {
    /* not modelled */
  }

  onClose(listener: () => void): void {
    this.#closeListeners.push(listener);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    queueMicrotask(() => {
      this.other?.close();
      for (const listener of this.#closeListeners) listener();
    });
  }
}

function tlsFacts(own: MsrpSecurity, peer: MsrpSecurity): MsrpConnection['tls'] {
  if (own.mode === 'plain') return undefined;
  if (own.mode === 'psk') return { version: 'TLSv1.2', suite: 'ECDHE-PSK-CHACHA20-POLY1305' };
  const peerCertificate: CertificateFacts = {
    sha256: peer.mode === 'fingerprint' ? peer.certificate.sha256 : '',
    subject: 'CN=peer',
    issuer: 'CN=peer',
    validUntil: '2030-01-01T00:00:00Z',
  };
  return { version: 'TLSv1.3', suite: 'TLS_AES_128_GCM_SHA256', peerCertificate };
}

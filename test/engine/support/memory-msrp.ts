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
  /** Hosts that cannot connect to any other. */
  readonly unreachable = new Set<string>();
  /** Replaces what a connecting side shows as certificate or key. */
  tamper: ((security: MsrpSecurity) => MsrpSecurity) | undefined;
  /**
   * Asked for each write: `cut` breaks the connection for both ends after the first half of what is written, `lost`
   * makes it swallow everything from now on, both ways, without either end being told.
   */
  fault: (() => 'cut' | 'lost' | undefined) | undefined;
  /** Changes what arrives. */
  change: ((bytes: Uint8Array) => Uint8Array) | undefined;
  readonly #live = new Set<MemoryConnection>();

  sockets(host: string, canDoPskTls = true): MsrpSockets {
    return {
      canDoPskTls,
      listen: async () => {
        const listener = new MemoryListener(this, { host, port: this.#nextPort++ }, (port) =>
          this.#listeners.delete(port),
        );
        this.#listeners.set(listener.address.port, listener);
        return listener;
      },
      dial: async (address) => {
        if (this.#listeners.has(address.port) && !this.unreachable.has(host)) {
          return { secure: (security) => this.#connect(host, address, security), close: () => undefined };
        }
        throw new ProtocolError('peer-incompatible', 'connection refused', { field: 'msrp.connection' });
      },
      connect: (address, security) => this.#connect(host, address, security),
    };
  }

  #connect(host: string, address: SocketAddress, security: MsrpSecurity): Promise<MsrpConnection> {
    const listener = this.#listeners.get(address.port);
    if (listener === undefined || this.unreachable.has(host)) {
      return Promise.reject(new ProtocolError('peer-incompatible', 'connection refused', { field: 'msrp.connection' }));
    }
    this.connections += 1;
    return listener.arrive({ host, port: 9 }, this.tamper?.(security) ?? security);
  }

  /** Breaks every connection, as a network that changes does. */
  cutAll(): void {
    for (const connection of this.#live) connection.break();
  }

  /** Every connection swallows what is written to it from now on. */
  loseAll(): void {
    for (const connection of this.#live) connection.isLost = true;
  }

  opened(connection: MemoryConnection): void {
    this.#live.add(connection);
  }

  closed(connection: MemoryConnection): void {
    this.#live.delete(connection);
  }
}

class MemoryListener implements MsrpListener {
  readonly address: SocketAddress;
  readonly #network: MemoryMsrpNetwork;
  readonly #onClose: (port: number) => void;
  #arrived: Waiting[] = [];
  #accepting: Waiting | undefined;

  constructor(network: MemoryMsrpNetwork, address: SocketAddress, onClose: (port: number) => void) {
    this.#network = network;
    this.address = address;
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
    const [near, far] = pipe(this.#network, client, server);
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

function pipe(network: MemoryMsrpNetwork, client: Waiting, server: Waiting): [MsrpConnection, MsrpConnection] {
  const near = new MemoryConnection(network, client, server);
  const far = new MemoryConnection(network, server, client);
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
  readonly #closeListeners: ((error?: Error) => void)[] = [];
  readonly #network: MemoryMsrpNetwork;
  isLost = false;
  #closed = false;

  constructor(network: MemoryMsrpNetwork, own: Waiting, peer: Waiting) {
    this.#network = network;
    network.opened(this);
    this.security = own.security.mode;
    this.local = own.address;
    this.remote = peer.address;
    this.tls = tlsFacts(own.security, peer.security);
  }

  write(bytes: Uint8Array): boolean {
    const copy = Uint8Array.from(bytes);
    this.#network.written.push(copy);
    if (this.#closed || this.isLost) return true;
    const fault = this.#network.fault?.();
    if (fault === 'lost') {
      for (const end of [this, this.other]) if (end !== undefined) end.isLost = true;
    } else if (fault === 'cut') {
      const half = copy.subarray(0, copy.length / 2);
      queueMicrotask(() => {
        this.other?.deliver(half);
        this.break();
      });
    } else queueMicrotask(() => this.other?.deliver(this.#network.change?.(copy) ?? copy));
    return true;
  }

  deliver(bytes: Uint8Array): void {
    if (this.#closed || this.isLost) return;
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

  onClose(listener: (error?: Error) => void): void {
    this.#closeListeners.push(listener);
  }

  /** Both ends learn that the connection is gone, in one of the next turns. */
  break(): void {
    for (const end of [this, this.other]) end?.fail(new Error('reset'));
  }

  fail(error: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#network.closed(this);
    queueMicrotask(() => {
      for (const listener of this.#closeListeners) listener(error);
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#network.closed(this);
    queueMicrotask(() => {
      if (!this.isLost) this.other?.close();
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

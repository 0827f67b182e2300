import { createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../../base/clock.ts';
import { ProtocolError } from '../../base/errors.ts';
import type { MsrpConnection, MsrpListener, MsrpSecurity, SocketAddress } from '../../engine/ports.ts';
import { secureRandom } from '../../crypto/random.ts';
import { tcpKeepAliveMilliseconds } from './connect-race.ts';
import { NodeMsrpConnection } from './connection.ts';
import { secure } from './handshake.ts';
import { expectMsrp } from './plain.ts';

/** Connections that wait for `accept`, or are being checked; more are cut at once. */
const maxConnections = 16;

/** First and last port, both included. */
export type PortRange = readonly [first: number, last: number];

export interface ListenerOptions {
  readonly host: string;
  /** Any free port when absent. */
  readonly portRange?: PortRange;
  readonly clock: Clock;
  readonly pskCiphers: string | undefined;
}

/** Opens a free port. @throws ProtocolError field `msrp.listen`. */
export async function listenForMsrp(options: ListenerOptions): Promise<MsrpListener> {
  const { host, portRange } = options;
  let problem: unknown;
  for (const port of portRange === undefined ? [0] : shuffled(portRange)) {
    try {
      return new NodeMsrpListener(await listenOn(host, port), options);
    } catch (error) {
      problem = error;
      if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) break;
    }
  }
  const where = portRange === undefined ? host : `${host}, ports ${portRange.join(' to ')}`;
  throw new ProtocolError('local', 'no port to listen on', {
    field: 'msrp.listen',
    expected: `a free port on ${where}`,
    cause: problem,
  });
}

/** All ports of the range, from a random one on: a port that was closed just now is not the next one to be opened. */
function shuffled([first, last]: PortRange): number[] {
  const count = last - first + 1;
  const [high = 0, low = 0] = secureRandom.bytes(2);
  return Array.from({ length: count }, (_, step) => first + ((high * 256 + low + step) % count));
}

function listenOn(host: string, port: number): Promise<Server> {
  // The peer may connect before our SDP answer is processed: its octets wait in the kernel.
  const server = createServer({
    pauseOnConnect: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: tcpKeepAliveMilliseconds,
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host, ipv6Only: true }, () => {
      server.off('error', reject);
      resolve(server);
    });
  });
}

class NodeMsrpListener implements MsrpListener {
  readonly address: SocketAddress;
  readonly #server: Server;
  readonly #options: ListenerOptions;
  readonly #waiting = new Set<Socket>();
  #acceptance: Acceptance | undefined;
  #isClosed = false;

  constructor(server: Server, options: ListenerOptions) {
    this.#server = server;
    this.#options = options;
    const address = server.address();
    this.address =
      typeof address === 'object' && address !== null
        ? { host: address.address, port: address.port }
        : { host: options.host, port: 0 };
    server.on('connection', (socket) => this.#arrived(socket));
    server.on('error', () => undefined);
  }

  async accept(security: MsrpSecurity, timeoutMilliseconds: number): Promise<MsrpConnection> {
    if (this.#isClosed || this.#acceptance !== undefined) {
      throw new ProtocolError('local', this.#isClosed ? 'closed' : 'already accepting', { field: 'msrp.accept' });
    }
    const acceptance = new Acceptance(security, timeoutMilliseconds, this.#options);
    this.#acceptance = acceptance;
    for (const socket of this.#waiting) acceptance.consider(socket);
    this.#waiting.clear();
    try {
      return await acceptance.result;
    } finally {
      this.#acceptance = undefined;
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#server.close();
    for (const socket of this.#waiting) socket.destroy();
    this.#acceptance?.fail('the port was closed', 'local');
  }

  #arrived(socket: Socket): void {
    socket.on('error', () => undefined);
    if (this.#acceptance !== undefined) {
      this.#acceptance.consider(socket);
    } else if (this.#isClosed || this.#waiting.size >= maxConnections) {
      socket.destroy();
    } else {
      this.#waiting.add(socket);
      socket.once('close', () => this.#waiting.delete(socket));
    }
  }
}

interface Settle {
  readonly resolve: (connection: MsrpConnection) => void;
  readonly reject: (error: unknown) => void;
}

/** One `accept`: checks all connections side by side, so that a silent one holds nobody up; the first good one wins. */
class Acceptance {
  readonly result: Promise<MsrpConnection>;
  readonly #security: MsrpSecurity;
  readonly #options: ListenerOptions;
  readonly #checking = new Set<Socket>();
  readonly #cancelTimeout: () => void;
  #settle: Settle | undefined;
  #lastFailure: unknown;

  constructor(security: MsrpSecurity, timeoutMilliseconds: number, options: ListenerOptions) {
    this.#security = security;
    this.#options = options;
    this.result = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    this.#cancelTimeout = options.clock.after(timeoutMilliseconds, () => {
      this.fail(`nobody connected within ${timeoutMilliseconds} ms`, 'expired');
    });
  }

  consider(socket: Socket): void {
    if (this.#settle === undefined || this.#checking.size >= maxConnections) {
      socket.destroy();
      return;
    }
    this.#checking.add(socket);
    this.#check(socket).then(
      (connection) => this.#finish(socket, connection),
      (error: unknown) => {
        this.#checking.delete(socket);
        this.#lastFailure = error;
      },
    );
  }

  /** Gives up; who failed the check last is the likelier reason than that nobody came. */
  fail(problem: string, kind: 'expired' | 'local'): void {
    const timeout = new ProtocolError(kind, problem, { field: 'msrp.accept', expected: 'a connection of the peer' });
    const error = this.#lastFailure ?? timeout;
    this.#end((settle) => settle.reject(error));
  }

  async #check(socket: Socket): Promise<MsrpConnection> {
    const { clock, pskCiphers } = this.#options;
    if (this.#security.mode === 'plain') {
      return new NodeMsrpConnection(await expectMsrp(socket, clock), 'plain', undefined, clock);
    }
    const { socket: secured, tls } = await secure(socket, 'server', this.#security, pskCiphers);
    return new NodeMsrpConnection(secured, this.#security.mode, tls, clock);
  }

  #finish(socket: Socket, connection: MsrpConnection): void {
    this.#checking.delete(socket);
    if (this.#settle === undefined) connection.close();
    else this.#end((settle) => settle.resolve(connection));
  }

  #end(action: (settle: Settle) => void): void {
    const settle = this.#settle;
    if (settle === undefined) return;
    this.#settle = undefined;
    this.#cancelTimeout();
    for (const other of this.#checking) other.destroy();
    action(settle);
  }
}

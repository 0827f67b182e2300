import { connect, createServer, type TLSSocket } from 'node:tls';
import type { Clock } from '../../base/clock.ts';
import { createCertificateAuthority } from '../../crypto/certificate-authority.ts';
import { secureRandom } from '../../crypto/random.ts';
import { systemClock } from '../../node/system-clock.ts';
import { parseMsrpUri } from '../../protocol/msrp/index.ts';
import { closeServer, listenOnLoopback } from '../loopback.ts';
import { RelayCore, type RelayCoreOptions, type RelayWire } from './relay-core.ts';

export interface LabRelayOptions {
  /** Passwords by user name. */
  readonly users: Readonly<Record<string, string>>;
  readonly realm?: string;
  readonly algorithm?: RelayCoreOptions['algorithm'];
  readonly uriParameter?: RelayCoreOptions['uriParameter'];
  readonly renewal?: RelayCoreOptions['renewal'];
  readonly minExpires?: number;
  readonly maxExpires?: number;
  readonly clock?: Clock;
  /** An authority that also signs another relay, so that the two trust each other; one of its own when absent. */
  readonly authority?: Awaited<ReturnType<typeof createCertificateAuthority>>;
}

export interface LabRelay {
  /** For the configuration of a client: `msrps://localhost:PORT;tcp`. */
  readonly uri: string;
  readonly caPem: string;
  readonly core: RelayCore;
  /** Connections of now. */
  readonly connections: number;
  /** Ends all connections and goes on listening. */
  cut(): void;
  stop(): Promise<void>;
}

/** An MSRP relay on loopback, under the name `localhost` (RFC 4976). */
export async function startLabRelay(options: LabRelayOptions): Promise<LabRelay> {
  const { clock = systemClock, users, realm = 'lab.test', algorithm = 'SHA-256' } = options;
  const authority =
    options.authority ?? (await createCertificateAuthority({ commonName: 'lab relays', now: clock.now() }));
  const names = { dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'] };
  const { certificatePem, privateKeyPem } = await authority.issue(names, { alsoClient: true });
  const sockets = new Set<TLSSocket>();
  let port = 0;
  const core = new RelayCore({
    users,
    realm,
    algorithm,
    uriParameter: options.uriParameter ?? 'taken',
    renewal: options.renewal ?? 'same',
    minExpires: options.minExpires ?? 10,
    maxExpires: options.maxExpires ?? 900,
    clock,
    random: secureRandom,
    authority: () => `localhost:${port}`,
    dial: (uri) => dial(uri),
  });
  const attach = (socket: TLSSocket): RelayWire => {
    sockets.add(socket);
    socket.setNoDelay(true);
    const wire = {
      write: (bytes: Uint8Array): void => void socket.write(bytes),
      close: (): void => void socket.destroy(),
    };
    const read = core.reader(wire);
    socket.on('error', () => undefined);
    socket.on('data', (bytes: Uint8Array) => read(bytes));
    socket.once('close', () => {
      sockets.delete(socket);
      read(undefined);
    });
    return wire;
  };
  const dial = (uri: string): Promise<RelayWire> =>
    new Promise((resolve, reject) => {
      const { host, port: far = 2855 } = parseMsrpUri(uri);
      const socket = connect({
        host,
        port: far,
        servername: host,
        ca: authority.certificatePem,
        cert: certificatePem,
        key: privateKeyPem,
      });
      socket.once('error', reject);
      socket.once('secureConnect', () => resolve(attach(socket)));
    });
  const server = createServer({ cert: certificatePem, key: privateKeyPem, minVersion: 'TLSv1.2' }, attach);
  ({ port } = await listenOnLoopback(server));
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    uri: `msrps://localhost:${port};tcp`,
    caPem: authority.certificatePem,
    core,
    get connections() {
      return sockets.size;
    },
    cut,
    stop: () => {
      const closed = closeServer(server);
      cut();
      return closed;
    },
  };
}

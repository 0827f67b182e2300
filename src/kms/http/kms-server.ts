import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Clock } from '../../base/clock.ts';
import { describeError, ProtocolError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { profile } from '../../protocol/profile.ts';
import type { KmsService } from '../kms-service.ts';
import type { KmsPeer } from '../peers.ts';
import { TrustedProxies } from './client-address.ts';
import { ConnectionGate } from './connection-gate.ts';
import type { KmsLimits } from './limits.ts';
import { startManagement, type ManagementListener } from './management-listener.ts';
import { KmsMetrics } from './metrics.ts';
import { QuestionHandler, type AnswerTransform } from './question-handler.ts';
import { ReadinessProbe } from './readiness.ts';
import type { ServedCertificate } from './served-certificate.ts';
import { TlsListener } from './tls-listener.ts';

export interface ListenAddress {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
}

/** Where other KMSs ask (RFC 6043 10): TLS with certificates on both sides. */
export interface PeerListenOptions extends ListenAddress {
  readonly peers: readonly KmsPeer[];
  readonly certificate: ServedCertificate;
  /** PEM; where peers' certificates come from. */
  readonly trustedCa: string;
}

export interface ShutdownTimes {
  /** From not being ready to taking no more connections: as long as load balancers need to see it. */
  readonly drainSeconds: number;
  /** For exchanges under way. */
  readonly graceSeconds: number;
}

export interface KmsServerOptions {
  readonly service: KmsService;
  readonly listen: ListenAddress;
  readonly certificate: ServedCertificate;
  readonly clock: Clock;
  readonly log: Logger;
  /** Absent: no limits, for a server that only its own tests and laboratory can reach. */
  readonly limits?: KmsLimits;
  /** Load balancers that may say whose request it is. */
  readonly trustedProxies?: readonly string[];
  /** How trusted proxies say it; in X-Forwarded-For where absent. */
  readonly proxyProtocol?: boolean;
  readonly maxConnections?: number;
  readonly keepAliveSeconds?: number;
  /** For each stage of a request; the profile's where absent. */
  readonly timeoutMilliseconds?: number;
  readonly peers?: PeerListenOptions;
  /** Health and metrics; nowhere where absent. */
  readonly management?: ListenAddress;
  /** Adds the metrics of the process. */
  readonly processMetrics?: boolean;
  readonly shutdown?: ShutdownTimes;
  /** Rehearses a KMS that has been taken over: changes every MIKEY answer just before it is sent. */
  readonly transformAnswer?: AnswerTransform;
}

export interface KmsServer {
  /** Base URL for clients. */
  readonly url: string;
  readonly port: number;
  readonly peersUrl: string | undefined;
  readonly managementUrl: string | undefined;
  /** Reads certificates again, on SIGHUP. */
  reloadCertificates(): Promise<void>;
  /** Not ready, then no new connections, then the end of what is under way, then the storage. */
  stop(): Promise<void>;
}

const defaultMaxConnections = 4096;
/** Above what load balancers hold idle connections for (nginx 60 s), so that they close first and lose no request. */
const defaultKeepAliveSeconds = 75;
const defaultShutdown: ShutdownTimes = { drainSeconds: 0, graceSeconds: 1 };

/**
 * Serves a KMS over HTTPS (profile 6.1).
 * @throws ProtocolError `local` for options that cannot be; rejects when a port is taken. Then nothing is left open but the service.
 */
export async function startKmsServer(options: KmsServerOptions): Promise<KmsServer> {
  const running = new RunningKms(options);
  try {
    await running.start();
  } catch (error) {
    await running.abandon();
    throw error;
  }
  return running;
}

class RunningKms implements KmsServer {
  url = '';
  port = 0;
  peersUrl: string | undefined;
  managementUrl: string | undefined;
  readonly #options: KmsServerOptions;
  readonly #publicGate: ConnectionGate;
  readonly #peerGate: ConnectionGate;
  readonly #metrics: KmsMetrics;
  readonly #readiness: ReadinessProbe;
  readonly #handler: QuestionHandler;
  #public: TlsListener | undefined;
  #peers: TlsListener | undefined;
  #management: ManagementListener | undefined;
  #stopped: Promise<void> | undefined;

  constructor(options: KmsServerOptions) {
    const { service, clock, log, limits, peers } = options;
    this.#options = options;
    const proxies = new TrustedProxies(options.trustedProxies ?? []);
    this.#metrics = new KmsMetrics(
      {
        now: () => clock.now(),
        tpkCreatedAt: () => service.status().tpkCreatedAt,
        auditBacklog: () => service.status().auditBacklog,
        openConnections: () => ({
          public: this.#publicGate.open,
          ...(peers === undefined ? {} : { peers: this.#peerGate.open }),
        }),
        certificates: () =>
          Object.fromEntries(this.#certificates().map(([name, { validUntil }]) => [name, validUntil])),
      },
      options.processMetrics,
    );
    const common = {
      clock,
      log,
      metrics: this.#metrics,
      limits,
      maxKeys: limits?.maxKeys ?? 1,
      timeoutMilliseconds: options.timeoutMilliseconds ?? profile.kms.timeoutMilliseconds,
    };
    this.#publicGate = new ConnectionGate({ ...common, proxies, proxyProtocol: options.proxyProtocol ?? false });
    // Peers are few and known; behind a proxy of theirs or ours they show a certificate, not an address.
    this.#peerGate = new ConnectionGate({ ...common, proxies: new TrustedProxies([]), proxyProtocol: false });
    this.#readiness = new ReadinessProbe(
      [
        { name: 'storage', run: () => service.check() },
        { name: 'tpk', run: () => refuseUnless(service.status().tpkCreatedAt !== undefined, 'no key', 'kms.tpk') },
        ...this.#certificates().map(([name, certificate]) => ({
          name: name === 'tls' ? 'certificate' : `certificate-${name}`,
          run: () => refuseUnless(clock.now() <= certificate.validUntil, 'expired', `kms.${name}`),
        })),
      ],
      { clock, log },
    );
    this.#handler = new QuestionHandler({
      service,
      realm: service.identity.replace(/^sips?:/i, ''),
      clock,
      log,
      metrics: this.#metrics,
      limits,
      proxies,
      transformAnswer: options.transformAnswer,
    });
  }

  async start(): Promise<void> {
    const { listen, certificate, peers, management, log } = this.#options;
    const common = {
      log,
      onDrop: () => this.#metrics.limited('connections'),
      maxConnections: this.#options.maxConnections ?? defaultMaxConnections,
      keepAliveSeconds: this.#options.keepAliveSeconds ?? defaultKeepAliveSeconds,
      timeoutMilliseconds: this.#options.timeoutMilliseconds ?? profile.kms.timeoutMilliseconds,
    };
    if (management !== undefined) {
      this.#management = await startManagement({
        ...management,
        metrics: this.#metrics,
        readiness: this.#readiness,
      });
      this.managementUrl = this.#management.url;
    }
    if (peers !== undefined) {
      const gate = this.#peerGate;
      this.#peers = await TlsListener.start({
        ...common,
        host: peers.host,
        port: peers.port,
        certificate: peers.certificate,
        clientCa: peers.trustedCa,
        gate,
        onRequest: (request, response) =>
          this.#handler.handle(request, response, {
            address: gate.addressOf(request.socket),
            peers: provenPeers(request.socket, peers.peers),
          }),
      });
      this.peersUrl = this.#peers.url;
    }
    // Last: who reaches it finds everything else in place.
    const gate = this.#publicGate;
    this.#public = await TlsListener.start({
      ...common,
      ...listen,
      certificate,
      gate,
      onRequest: (request, response) =>
        this.#handler.handle(request, response, { address: gate.addressOf(request.socket) }),
    });
    this.url = this.#public.url;
    this.port = this.#public.port;
  }

  async reloadCertificates(): Promise<void> {
    await Promise.all(this.#certificates().map(([, certificate]) => certificate.reload()));
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#leave();
    return this.#stopped;
  }

  /** After a start that failed. */
  async abandon(): Promise<void> {
    for (const listener of [this.#public, this.#peers]) {
      listener?.cut();
      await listener?.close();
    }
    await this.#management?.stop();
  }

  async #leave(): Promise<void> {
    const { service, clock, log, shutdown = defaultShutdown } = this.#options;
    log.log('info', 'kms.stopping', {});
    this.#readiness.leave();
    if (shutdown.drainSeconds > 0) {
      await new Promise<void>((resolve) => void clock.after(shutdown.drainSeconds * 1000, resolve));
    }
    this.#handler.leave();
    const listeners = [this.#public, this.#peers].filter((listener) => listener !== undefined);
    const closed = Promise.all(listeners.map((listener) => listener.close()));
    const cancel = clock.after(shutdown.graceSeconds * 1000, () => {
      for (const listener of listeners) listener.cut();
    });
    await closed;
    cancel();
    // What was cut off is still being worked on: its audit line belongs to the storage that is closed next.
    await this.#handler.idle();
    try {
      await service.close();
    } catch (error) {
      log.log('error', 'kms.close-failed', { reason: describeError(error) });
    }
    await this.#management?.stop();
    log.log('info', 'kms.stopped', {});
  }

  #certificates(): readonly (readonly [name: string, certificate: ServedCertificate])[] {
    const { certificate, peers } = this.#options;
    return [
      ['tls', certificate],
      ...(peers === undefined || peers.certificate === certificate ? [] : [['peers', peers.certificate] as const]),
    ];
  }
}

function refuseUnless(holds: boolean, problem: string, field: string): void {
  if (!holds) throw new ProtocolError('local', problem, { field });
}

/** Names in a subject or behind a wildcard prove nothing: the certificate must carry the agreed name itself. */
function provenPeers(socket: Socket, peers: readonly KmsPeer[]): readonly string[] {
  const certificate = socket instanceof TLSSocket && socket.authorized ? socket.getPeerX509Certificate() : undefined;
  if (certificate === undefined) return [];
  return peers
    .filter(
      ({ certificateName }) =>
        certificate.checkHost(certificateName, { subject: 'never', wildcards: false }) !== undefined,
    )
    .map(({ name }) => name);
}

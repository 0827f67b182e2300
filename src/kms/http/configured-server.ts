import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import type { Admission, TicketIssuers } from '../../protocol/mikey/index.ts';
import type { KmsService } from '../kms-service.ts';
import type { KmsPeer } from '../peers.ts';
import type { FrontConfig, PeersConfig } from './front-config.ts';
import { startKmsServer, type KmsServer, type KmsServerOptions, type PeerListenOptions } from './kms-server.ts';
import { createAdmission } from './limits.ts';
import { PeerIssuers } from './peer-issuers.ts';
import { ServedCertificate } from './served-certificate.ts';

/** What the network side gives to the service. */
export interface ServiceParts {
  readonly peers: readonly KmsPeer[];
  readonly issuers?: TicketIssuers;
  readonly admission: Admission;
}

export interface ConfiguredServerOptions {
  readonly config: FrontConfig;
  /** Makes the service, with its storage; asked once everything else of the configuration has been read. */
  readonly createService: (parts: ServiceParts) => Promise<KmsService>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: Random;
  readonly processMetrics: boolean;
}

/**
 * Runs a KMS as its configuration says, and follows changes of its certificate files.
 * @throws ProtocolError `local` that names what is wrong; then nothing is left open.
 */
export async function startConfiguredKms(options: ConfiguredServerOptions): Promise<KmsServer> {
  const { config, clock, log, random } = options;
  const certificate = await ServedCertificate.load(config.certificateFiles, {
    clock,
    log,
    field: 'kms.config.tls',
  });
  const peerCertificate = await loadPeerCertificate(config.peers, certificate, { clock, log });
  const issuers =
    config.peers === undefined
      ? undefined
      : new PeerIssuers(config.peers.peers, {
          certificate: peerCertificate,
          trustedCa: config.peers.trustedCa,
          clock,
          random,
          log,
        });
  const service = await options.createService({
    peers: config.peers?.peers ?? [],
    admission: createAdmission(config.limits),
    ...(issuers && { issuers }),
  });
  const watched = new Set([certificate, peerCertificate]);
  try {
    const server = await startKmsServer(serverOptions(options, service, certificate, peerCertificate));
    for (const one of watched) one.watch();
    const reload = async (): Promise<void> => {
      await Promise.all([...watched].map((one) => one.reload()));
    };
    return {
      url: server.url,
      port: server.port,
      peersUrl: server.peersUrl,
      managementUrl: server.managementUrl,
      stop: async () => {
        await server.stop();
        for (const one of watched) one.stop();
        issuers?.stop();
      },
      reloadCertificates: reload,
    };
  } catch (error) {
    issuers?.stop();
    await service.close();
    throw error;
  }
}

function serverOptions(
  { config, clock, log, processMetrics }: ConfiguredServerOptions,
  service: KmsService,
  certificate: ServedCertificate,
  peerCertificate: ServedCertificate,
): KmsServerOptions {
  const { listen, limits, connections, trustedProxies, proxyProtocol, management, shutdown, peers } = config;
  const peerListen: PeerListenOptions | undefined =
    peers?.listen === undefined
      ? undefined
      : { ...peers.listen, peers: peers.peers, certificate: peerCertificate, trustedCa: peers.trustedCa };
  return {
    service,
    listen,
    certificate,
    clock,
    log,
    limits,
    trustedProxies,
    proxyProtocol,
    maxConnections: connections.max,
    keepAliveSeconds: connections.keepAliveSeconds,
    shutdown,
    ...(peerListen && { peers: peerListen }),
    ...(management && { management }),
    processMetrics,
  };
}

function loadPeerCertificate(
  peers: PeersConfig | undefined,
  certificate: ServedCertificate,
  options: { readonly clock: Clock; readonly log: Logger },
): Promise<ServedCertificate> {
  return peers?.certificateFiles === undefined
    ? Promise.resolve(certificate)
    : ServedCertificate.load(peers.certificateFiles, { ...options, field: 'kms.config.peers.tls' });
}

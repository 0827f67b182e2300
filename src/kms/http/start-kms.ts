import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import { secureRandom } from '../../crypto/random.ts';
import { systemClock } from '../../node/system-clock.ts';
import type { KmsConfig } from '../config.ts';
import { createMemoryKmsService, type KmsService } from '../kms-service.ts';
import type { TpkEntry } from '../tpk-ring.ts';
import { startKmsServer, type KmsServer } from './kms-server.ts';
import type { AnswerTransform } from './question-handler.ts';
import { ServedCertificate } from './served-certificate.ts';

export type { KmsServer } from './kms-server.ts';

interface ServeOptions {
  readonly tls: { readonly certificatePem: string; readonly privateKeyPem: string };
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly log: Logger;
  readonly clock?: Clock;
  /** Rehearses a KMS that has been taken over. */
  readonly transformAnswer?: AnswerTransform;
}

export interface KmsServerOptions extends ServeOptions {
  readonly config: KmsConfig;
  readonly clock: Clock;
  /** Ticket protection keys, newest last; without them one is made, and its tickets end with this process. */
  readonly tpks?: readonly TpkEntry[];
  readonly random?: Random;
}

/**
 * Serves a KMS whose storage is in memory, without limits: for the lab and for tests.
 * @throws ProtocolError `local` for a configuration that cannot be; rejects when the port is taken or the certificate unfit.
 */
export async function startKms(options: KmsServerOptions): Promise<KmsServer> {
  const { config, clock, tpks, random = secureRandom } = options;
  return serveKms(await createMemoryKmsService({ config, clock, random, ...(tpks && { tpks }) }), options);
}

/**
 * Serves Ticket Request and Ticket Resolve over HTTPS (profile 6.1) and nothing else. `stop` closes the service too.
 * Rejects when the port is taken or the certificate unfit.
 */
export async function serveKms(service: KmsService, options: ServeOptions): Promise<KmsServer> {
  const { tls, host, port, log, clock = systemClock, transformAnswer } = options;
  return startKmsServer({
    service,
    listen: { host, port },
    certificate: new ServedCertificate(tls, { clock, log }),
    clock,
    log,
    ...(transformAnswer && { transformAnswer }),
  });
}

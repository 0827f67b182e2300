import type { Logger } from '../base/log.ts';
import { secureRandom } from '../crypto/random.ts';
import type { KmsConfig } from '../kms/config.ts';
import type { SubscriberSource } from '../kms/directory.ts';
import { serveKms } from '../kms/http/start-kms.ts';
import { createMemoryKmsService } from '../kms/kms-service.ts';
import { createTpk } from '../kms/tpk-ring.ts';
import { systemClock } from '../node/system-clock.ts';
import { createFalseKms } from './false-kms.ts';
import type { LabFaults } from './faults.ts';
import { RecordingForwarder } from './recording-forwarder.ts';
import type { LabUser } from './users.ts';
import type { WireRecorder } from './wire-recorder.ts';

export interface LabKms {
  readonly url: string;
  readonly identity: string;
  /** What its certificate proves: its name as a NAF. */
  readonly name: string;
  stop(): Promise<void>;
}

export interface LabKmsOptions {
  readonly users: ReadonlyMap<string, LabUser>;
  /** Where it finds subscribers besides. */
  readonly sources: readonly SubscriberSource[];
  readonly faults: LabFaults;
  readonly recorder: WireRecorder;
  readonly log: Logger;
  /** 0 for a free one. */
  readonly port: number;
  /** Domain name of the KMS, from which its identity is made (profile 6.4). */
  readonly name: string;
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

const host = '127.0.0.1';

/** The project's own KMS with a key for each lab user, behind a port that records what passes. */
export async function startLabKms(options: LabKmsOptions): Promise<LabKms> {
  const { users, sources, faults, recorder, log, certificatePem, privateKeyPem } = options;
  const config: KmsConfig = {
    identity: `sip:${options.name}`,
    users: [...users.values()].map(({ identity, pskId, psk }) => ({ identities: [identity], pskId, psk })),
  };
  const tpks = [createTpk(secureRandom, systemClock.now())];
  const falseKms = await createFalseKms(config, tpks, sources, secureRandom);
  const clock = systemClock;
  const service = await createMemoryKmsService({ config, clock, random: secureRandom, tpks, sources });
  const server = await serveKms(service, {
    tls: { certificatePem, privateKeyPem },
    host,
    port: 0,
    log,
    transformAnswer: async (answer, question) =>
      (faults.kmsWrongKey === true ? await falseKms(question, systemClock.now()) : undefined) ?? answer,
  });
  try {
    const forwarder = await RecordingForwarder.start(
      'KMS',
      options.port,
      { host, port: server.port },
      recorder,
      () => faults.kmsAway === true,
    );
    return {
      url: `https://${host}:${forwarder.port}`,
      identity: config.identity,
      name: options.name,
      async stop() {
        await forwarder.stop();
        await server.stop();
      },
    };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

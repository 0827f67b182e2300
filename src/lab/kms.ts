import type { Logger } from '../base/log.ts';
import { secureRandom } from '../crypto/random.ts';
import type { KmsConfig } from '../kms/config.ts';
import { startKms } from '../kms/http/start-kms.ts';
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
  stop(): Promise<void>;
}

export interface LabKmsOptions {
  readonly users: ReadonlyMap<string, LabUser>;
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
  const { users, faults, recorder, log, certificatePem, privateKeyPem } = options;
  const config: KmsConfig = {
    identity: `sip:${options.name}`,
    users: [...users.values()].map(({ identity, pskId, psk }) => ({ identities: [identity], pskId, psk })),
  };
  const tpks = [createTpk(secureRandom, systemClock.now())];
  const falseKms = await createFalseKms(config, tpks, secureRandom);
  const server = await startKms({
    config,
    tls: { certificatePem, privateKeyPem },
    host,
    port: 0,
    clock: systemClock,
    log,
    tpks,
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

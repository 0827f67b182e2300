import type { Logger } from '../base/log.ts';
import { z } from 'zod';
import { secureRandom } from '../crypto/random.ts';
import type { KmsConfig } from '../kms/config.ts';
import type { SubscriberSource } from '../kms/directory.ts';
import { serveKms } from '../kms/http/start-kms.ts';
import { createKmsService, createMemoryKmsService, type KmsService } from '../kms/kms-service.ts';
import { openStorageWithKek } from '../kms/storage/open-storage.ts';
import { storageConfigBeside, storageConfigShape } from '../kms/storage/storage-config.ts';
import { createTpk, importTpks, type TpkEntry } from '../kms/tpk-ring.ts';
import { seedUsers } from '../kms/users.ts';
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
  /** Its port refuses connections until it is opened again; what is under way is cut. */
  closePort(): Promise<void>;
  openPort(): Promise<void>;
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
  /** Folder of its database; in memory without. */
  readonly stateDirectory?: string;
}

const host = '127.0.0.1';

/** The project's own KMS with a key for each lab user, behind a port that records what passes. */
export async function startLabKms(options: LabKmsOptions): Promise<LabKms> {
  const { users, sources, faults, recorder, log, certificatePem, privateKeyPem } = options;
  const config: KmsConfig = {
    identity: `sip:${options.name}`,
    users: [...users.values()].map(({ identities, pskId, psk }) => ({ identities, pskId, psk })),
  };
  const tpks = [createTpk(secureRandom, systemClock.now())];
  const falseKms = await createFalseKms(config, tpks, sources, secureRandom);
  const service = await createService(options, config, tpks);
  const server = await serveKms(service, {
    tls: { certificatePem, privateKeyPem },
    host,
    port: 0,
    log,
    transformAnswer: async (answer, question) =>
      (faults.kmsWrongKey === true ? await falseKms(question, systemClock.now()) : undefined) ?? answer,
  });
  try {
    const open = (port: number): Promise<RecordingForwarder> =>
      RecordingForwarder.start('KMS', port, { host, port: server.port }, recorder, () => faults.kmsAway === true);
    let forwarder: RecordingForwarder | undefined = await open(options.port);
    const { port } = forwarder;
    const closePort = async (): Promise<void> => {
      const closing = forwarder;
      forwarder = undefined;
      await closing?.stop();
    };
    return {
      url: `https://${host}:${port}`,
      identity: config.identity,
      name: options.name,
      closePort,
      async openPort() {
        forwarder ??= await open(port);
      },
      async stop() {
        await closePort();
        await server.stop();
      },
    };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** In memory, or with its users and ticket protection keys sealed in a database that outlives the process. */
async function createService(
  { stateDirectory, sources }: LabKmsOptions,
  config: KmsConfig,
  tpks: readonly TpkEntry[],
): Promise<KmsService> {
  const common = { clock: systemClock, random: secureRandom, sources };
  if (stateDirectory === undefined) return createMemoryKmsService({ config, tpks, ...common });
  const places = storageConfigBeside(stateDirectory, z.strictObject(storageConfigShape).parse({}));
  const { storage, kek } = await openStorageWithKek(places, secureRandom);
  try {
    await seedUsers(storage, kek, config.users);
    if ((await storage.tpks.list()).length === 0) await importTpks(storage, kek, tpks);
    return await createKmsService({ identity: config.identity, storage, kek, ...common });
  } catch (error) {
    await storage.close();
    throw error;
  }
}

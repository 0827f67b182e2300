import type { Logger } from '../../base/log.ts';
import { secureRandom } from '../../crypto/random.ts';
import type { KmsPublicKeyConfig } from '../../kms/config.ts';
import { readKmsConfig, type KmsFileConfig } from '../../kms/http/config-file.ts';
import { startConfiguredKms, type ServiceParts } from '../../kms/http/configured-server.ts';
import type { SubscriberSource } from '../../kms/directory.ts';
import { openGbaSource } from '../../kms/http/gba-config.ts';
import { reloadablePublicKey } from '../../kms/http/reloadable-public-key.ts';
import { createKmsService, longestLife, type KmsService } from '../../kms/kms-service.ts';
import { withHeadFile } from '../../kms/storage/audit-head-file.ts';
import { openStorageWithKek } from '../../kms/storage/open-storage.ts';
import { readTpkFile } from '../../kms/storage/tpk-file.ts';
import { defaultRotation, importTpks } from '../../kms/tpk-ring.ts';
import { seedUsers } from '../../kms/users.ts';
import { createJsonLogger } from '../../node/json-logger.ts';
import { systemClock } from '../../node/system-clock.ts';
import type { Command } from './command.ts';

/** The service of a configuration over its storage, which has then the configuration's users. */
async function openService(
  config: KmsFileConfig,
  parts: ServiceParts & {
    readonly sources: readonly SubscriberSource[];
    readonly publicKey: KmsPublicKeyConfig | undefined;
  },
  log: Logger,
): Promise<KmsService> {
  const { storage: opened, kek } = await openStorageWithKek(config.storage, secureRandom);
  const storage = withHeadFile(opened, config.storage.auditHeadFile, (reason) =>
    log.log('error', 'kms.audit-head-not-kept', { reason }),
  );
  try {
    const { tpkFile, tpkRenewAfterSeconds, tpkAnnounceSeconds } = config.storage;
    const taken = tpkFile === undefined ? 0 : await importTpks(storage, kek, await readTpkFile(tpkFile));
    if (taken > 0) log.log('info', 'kms.tpk-file-imported', { keys: taken });
    const added = await seedUsers(storage, kek, config.kms.users);
    if (added.length > 0) log.log('info', 'kms.users-added', { users: added.length });
    const { publicKey, ...others } = parts;
    return await createKmsService({
      ...others,
      identity: config.kms.identity,
      storage,
      kek,
      clock: systemClock,
      random: secureRandom,
      rules: config.rules,
      ...(publicKey && { publicKey }),
      rotation: {
        ...defaultRotation,
        keepSeconds: longestLife(config.rules),
        renewAfterSeconds: tpkRenewAfterSeconds,
        announceSeconds: tpkAnnounceSeconds,
      },
    });
  } catch (error) {
    await storage.close();
    throw error;
  }
}

/** SIGINT or SIGTERM; SIGHUP reads certificates and public keys again. */
function signalToStop(reload: () => Promise<void>): Promise<void> {
  process.on('SIGHUP', () => void reload());
  return new Promise((resolve) => {
    process.on('SIGINT', () => resolve());
    process.on('SIGTERM', () => resolve());
  });
}

export const serve: Command = {
  synopsis: '[--quiet]',
  explanation: 'runs the server until SIGINT or SIGTERM; SIGHUP reads its certificates and publicKey again',
  flags: ['quiet'],
  words: [0, 0],
  async run(given) {
    const config = await readKmsConfig(given.config);
    const log = createJsonLogger((line) => process.stderr.write(line), given.flags.has('quiet') ? 'error' : 'info');
    const gba = config.gba && (await openGbaSource(config.gba, { clock: systemClock, log }));
    const sources = gba === undefined ? [] : [gba.source];
    const publicKey =
      config.kms.publicKey &&
      reloadablePublicKey(config.kms.publicKey, async () => (await readKmsConfig(given.config)).kms.publicKey, log);
    const server = await startConfiguredKms({
      config: config.front,
      createService: (parts) => openService(config, { ...parts, sources, publicKey: publicKey?.publicKey }, log),
      clock: systemClock,
      log,
      random: secureRandom,
      processMetrics: true,
    });
    gba?.certificate.watch();
    const stopped = signalToStop(async () => {
      await Promise.all([server.reloadCertificates(), gba?.certificate.reload(), publicKey?.reload()]);
    });
    if (server.managementUrl !== undefined) given.print(`health and metrics are on ${server.managementUrl}`);
    if (server.peersUrl !== undefined) given.print(`other KMSs ask on ${server.peersUrl}`);
    given.print(`${config.kms.identity} listens on ${server.url}`);
    await stopped;
    await server.stop();
    gba?.certificate.stop();
    return 0;
  },
};

import type { Logger } from '../../base/log.ts';
import { secureRandom } from '../../crypto/random.ts';
import { readKmsConfig, type KmsFileConfig } from '../../kms/http/config-file.ts';
import { serveKms } from '../../kms/http/start-kms.ts';
import { createKmsService, longestLife, type KmsService } from '../../kms/kms-service.ts';
import { withHeadFile } from '../../kms/storage/audit-head-file.ts';
import { openStorageWithKek } from '../../kms/storage/open-storage.ts';
import { readTpkFile } from '../../kms/storage/tpk-file.ts';
import { defaultRotation, importTpks } from '../../kms/tpk-ring.ts';
import { seedUsers } from '../../kms/users.ts';
import { createJsonLogger } from '../../node/json-logger.ts';
import { systemClock } from '../../node/system-clock.ts';
import { type Command } from './command.ts';

/** The service of a configuration over its storage, which has then the configuration's users. */
async function openService(config: KmsFileConfig, log: Logger): Promise<KmsService> {
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
    return await createKmsService({
      identity: config.kms.identity,
      storage,
      kek,
      clock: systemClock,
      random: secureRandom,
      rules: config.rules,
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

export const serve: Command = {
  synopsis: '[--quiet]',
  explanation: 'runs the server until SIGINT or SIGTERM',
  flags: ['quiet'],
  words: [0, 0],
  async run(given) {
    const config = await readKmsConfig(given.config);
    const log = createJsonLogger((line) => process.stderr.write(line), given.flags.has('quiet') ? 'error' : 'info');
    const service = await openService(config, log);
    const server = await serveKms(service, {
      tls: { certificatePem: config.certificatePem, privateKeyPem: config.privateKeyPem },
      ...config.listen,
      log,
    }).catch(async (error: unknown) => {
      await service.close();
      throw error;
    });
    given.print(`${service.identity} listens on ${server.url}`);
    await new Promise<void>((resolve) => {
      process.on('SIGINT', () => resolve());
      process.on('SIGTERM', () => resolve());
    });
    await server.stop();
    return 0;
  },
};

import { open, rm } from 'node:fs/promises';
import { hostname, userInfo } from 'node:os';
import { toHex } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import type { SecretBytes } from '../../base/secret-bytes.ts';
import { secureRandom } from '../../crypto/random.ts';
import { readKmsStorageConfig, type KmsFileConfig } from '../../kms/http/config-file.ts';
import type { KeyEncryptionKey } from '../../kms/key-encryption-key.ts';
import type { KmsStorage } from '../../kms/ports.ts';
import { openStorageWithKek } from '../../kms/storage/open-storage.ts';
import { systemClock } from '../../node/system-clock.ts';
import type { Output } from './command.ts';

export interface Administration extends Pick<KmsFileConfig, 'storage' | 'rules'> {
  readonly kms: KmsStorage;
  readonly kek: KeyEncryptionKey;
  /** Writes down what was done. */
  readonly record: (action: string, about: { readonly user?: string; readonly reason?: string }) => Promise<void>;
}

/** Runs one command on the storage of a configuration; a server may run on it at the same time. */
export async function administer(
  configPath: string,
  action: (administration: Administration) => Promise<number>,
): Promise<number> {
  const config = await readKmsStorageConfig(configPath);
  const { storage: kms, kek } = await openStorageWithKek(config.storage, secureRandom);
  try {
    return await action({
      ...config,
      kms,
      kek,
      async record(name, about) {
        const operator = `${userInfo().username}@${hostname()}`;
        await kms.audit.append({ time: systemClock.now(), action: name, outcome: 'done', operator, ...about });
      },
    });
  } finally {
    await kms.close();
  }
}

export const refused = (problem: string, field: string, expected?: string): ProtocolError =>
  new ProtocolError('local', problem, { field, ...(expected === undefined ? {} : { expected }) });

/** A file for a new key, made before anything is changed, so that no key gets lost. */
export interface KeyOutput {
  /** Hands the key out, this once. */
  deliver(psk: SecretBytes): Promise<void>;
  /** Takes the file away again. */
  abandon(): Promise<void>;
}

/**
 * @param path a new file, made with mode 0600; without it the key goes to standard output.
 * @throws ProtocolError `local` when the file is there already or cannot be made.
 */
export async function openKeyOutput(path: string | undefined, print: Output['print']): Promise<KeyOutput> {
  if (path === undefined) {
    return {
      deliver(psk) {
        print(`psk: ${psk.use(toHex)}`);
        print('This key is shown once; the KMS keeps it only wrapped. Give it to the user over a safe way.');
        return Promise.resolve();
      },
      abandon: () => Promise.resolve(),
    };
  }
  const file = await open(path, 'wx', 0o600).catch((error: unknown) => {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unusable';
    throw refused(`cannot make ${path}: ${code}`, 'key-file', 'a path where no file is');
  });
  return {
    async deliver(psk) {
      await file.writeFile(`${psk.use(toHex)}\n`);
      await file.sync();
      await file.close();
      print(`The key is in ${path} (mode 0600) and nowhere else in clear.`);
    },
    async abandon() {
      await file.close();
      await rm(path, { force: true });
    },
  };
}

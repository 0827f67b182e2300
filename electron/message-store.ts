import { join } from 'node:path';
import type { SecretBytes } from '../src/base/secret-bytes.ts';
import type { Logger } from '../src/base/log.ts';
import type { StorageView } from '../src/contract/index.ts';
import type { SecretStore } from '../src/engine/ports.ts';
import { createMemoryStore } from '../src/engine/store/index.ts';
import type { BridgeHost } from '../src/node/bridge/host.ts';
import { createStorageGate, type StorageGate } from '../src/node/bridge/storage-gate.ts';
import { openStore, type OpenedStore } from '../src/node/store/open-store.ts';
import { changeStorePassphrase, hasStorePassphrase } from '../src/node/store/store-key.ts';

export interface MessageStoreOptions {
  readonly dataFolder: string;
  readonly secrets: SecretStore;
  readonly log: Logger;
  readonly start: (opened: OpenedStore, view: () => StorageView) => Promise<BridgeHost>;
}

/**
 * The messages of all accounts, in one encrypted file of the program's data folder, under a key in the keychain or, where there is none,
 * under a passphrase. What is there and cannot be opened is left as it is.
 */
export function gateMessages({ dataFolder, secrets, log, start }: MessageStoreOptions): StorageGate {
  const folder = join(dataFolder, 'messages');
  return createStorageGate({
    open: async (passphrase?: SecretBytes) => {
      const opened = await openStore({ folder, secrets, log, ...(passphrase === undefined ? {} : { passphrase }) });
      if (opened.notice !== undefined) log.log('warn', 'store.damaged', { setAside: opened.notice.path });
      return opened;
    },
    memory: (reason) => ({ store: createMemoryStore({ reason }) }),
    start,
    changePassphrase: (old, fresh) => changeStorePassphrase(folder, old, fresh),
    hasPassphrase: () => hasStorePassphrase(folder),
    hasKeychain: async () => (await secrets.health()).usable,
  });
}

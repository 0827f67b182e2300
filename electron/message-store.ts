import { join } from 'node:path';
import type { Logger } from '../src/base/log.ts';
import { createMemoryStore, StoreError, type Store } from '../src/engine/store/index.ts';
import type { SecretStore } from '../src/engine/ports.ts';
import { openStore } from '../src/node/store/index.ts';

export interface MessageStore {
  readonly store: Store;
  /** Sentences for the user. */
  readonly problems: readonly string[];
}

/**
 * The messages of all accounts, in one encrypted file of the program's data folder under a key in the keychain. What is there and cannot
 * be opened is left as it is; messages are then kept in memory until the program ends.
 */
export async function openMessages(dataFolder: string, secrets: SecretStore, log: Logger): Promise<MessageStore> {
  try {
    const { store, notice } = await openStore({ folder: join(dataFolder, 'messages'), secrets, log });
    if (notice === undefined) return { store, problems: [] };
    log.log('warn', 'store.damaged', { setAside: notice.path });
    const problem =
      'The file of your messages was damaged. It was set aside as ' +
      `${notice.path}, and a new one was begun; nothing of it was deleted.`;
    return { store, problems: [problem] };
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    log.log('error', 'store.cannot-open', { code: error.code });
    const reason = `Your messages cannot be opened: ${error.message}`;
    return {
      store: createMemoryStore({ reason }),
      problems: [
        `${reason}. They are left as they are; what you write and receive now is forgotten when Tessera ends.`,
      ],
    };
  }
}

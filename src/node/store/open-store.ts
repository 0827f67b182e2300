import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/log.ts';
import { createMemoryStore, keepRetention, StoreError, type Store } from '../../engine/store/index.ts';
import { loadSqlite, SqliteMissingError, type SqliteBinding, type SqliteDatabase } from '../sqlite/binding.ts';
import { systemClock } from '../system-clock.ts';
import { openSqliteFile, setAside, sizeOf } from './sqlite-file.ts';
import { createSqliteStore } from './sqlite-store.ts';
import { storeErrorOf } from './store-error.ts';
import { findStoreKey, hasStoreKeyFile, writeStoreKeyFile, type StoreKeySources } from './store-key.ts';

export interface StoreOptions extends StoreKeySources {
  /** Of the profile; made, readable by its owner only, when it is not there. */
  readonly folder: string;
  readonly clock?: Clock;
  readonly log?: Logger;
  /** Loads the native binding; for tests. */
  readonly load?: () => unknown;
}

/** What the user has to be told once. */
export interface StoreNotice {
  /** `missing`: the file had been begun and is empty or gone. In both cases a new one was begun, under the same key. */
  readonly kind: 'damaged-set-aside' | 'missing';
  /** Where the damaged file is now, or where the missing one should be. */
  readonly path: string;
}

export interface OpenedStore {
  readonly store: Store;
  readonly notice?: StoreNotice;
}

export const storeFileName = 'messages.db';

/**
 * Opens the messages of a profile, encrypted; without a key or without SQLite on this machine a store in memory that says why.
 * @throws StoreError when there are kept messages that cannot be opened now, and for a place that cannot be used. Nothing was changed
 * then: `key-missing` and `wrong-key` can be answered with a passphrase, `in-use`, `newer`, `full`, `read-only` and `failed` only told.
 */
export async function openStore(options: StoreOptions): Promise<OpenedStore> {
  const { folder, clock = systemClock } = options;
  const path = join(folder, storeFileName);
  const hasMessages = (sizeOf(path) ?? 0) > 0;
  const binding = bindingOrReason(options.load);
  if (typeof binding === 'string') {
    if (hasMessages) throw new StoreError('failed', binding);
    return { store: createMemoryStore({ reason: binding }) };
  }
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    // The key file is written before the database: where it stands alone something is missing.
    const isMissing = !hasMessages && hasStoreKeyFile(folder);
    const key = await findStoreKey(folder, options, hasMessages);
    if (key.found === 'none') return { store: createMemoryStore({ reason: key.reason }) };
    const isKnownKey = hasStoreKeyFile(folder);
    const opened = openOrSetAside(() => openSqliteFile(binding, path, key.key), {
      path,
      isKnownKey,
      now: () => clock.now(),
    });
    if (!isKnownKey) await writeStoreKeyFile(folder, key);
    const notice = noticeOf(path, opened.aside, isMissing);
    return {
      store: withRetention(createSqliteStore(opened.database, path, options.log), clock, options.log),
      ...(notice === undefined ? {} : { notice }),
    };
  } catch (cause) {
    throw storeErrorOf(cause);
  }
}

function noticeOf(path: string, aside: string | undefined, isMissing: boolean): StoreNotice | undefined {
  if (aside !== undefined) return { kind: 'damaged-set-aside', path: aside };
  return isMissing ? { kind: 'missing', path } : undefined;
}

/** Old messages go, by the user's settings, at the start and every day until the store is closed. */
function withRetention(store: Store, clock: Clock, log: Logger | undefined): Store {
  const stop = keepRetention(store, { clock, ...(log === undefined ? {} : { log }) });
  return {
    ...store,
    close() {
      stop();
      return store.close();
    },
  };
}

function openOrSetAside(
  open: () => SqliteDatabase,
  { path, isKnownKey, now }: { readonly path: string; readonly isKnownKey: boolean; readonly now: () => number },
): { readonly database: SqliteDatabase; readonly aside?: string } {
  try {
    return { database: open() };
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== 'damaged') throw error;
    if (!isKnownKey) {
      // Under a wrong key every file looks like this.
      throw new StoreError('wrong-key', 'the key does not open the kept messages, or they are damaged', {
        cause: error,
      });
    }
    const aside = setAside(path, now());
    return { database: open(), aside };
  }
}

function bindingOrReason(load: (() => unknown) | undefined): SqliteBinding | string {
  try {
    return loadSqlite(load);
  } catch (error) {
    if (error instanceof SqliteMissingError) return error.message;
    throw error;
  }
}

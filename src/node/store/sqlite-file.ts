import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { toHex } from '../../base/bytes.ts';
import type { SecretBytes } from '../../base/secret-bytes.ts';
import { StoreError } from '../../engine/store/index.ts';
import type { SqliteBinding, SqliteDatabase } from '../sqlite/binding.ts';
import { storeErrorOf } from './store-error.ts';
import { migrateStore } from './store-migrations.ts';

/** How long a program that is just ending may still hold the file. */
const busyMilliseconds = 1_000;
/** Memory for pages of the file, in KiB. */
const cacheKibibytes = 16 * 1024;
/** Octets of a file that is read whole at each start to find damage. */
const checkedOctets = 64 * 1024 ** 2;

/** The files of one database: itself, its log, and a mark that damage was met while it was in use. */
const companions = (path: string) => ({ log: `${path}-wal`, index: `${path}-shm`, suspect: `${path}.suspect` });

/**
 * Opens the database under its key, for this process alone, brings it to the newest version and looks for damage.
 * @throws StoreError
 */
export function openSqliteFile(binding: SqliteBinding, path: string, key: SecretBytes, upTo?: number): SqliteDatabase {
  let database: SqliteDatabase | undefined;
  try {
    // SQLite itself would make it readable to all whom the umask allows.
    closeSync(openSync(path, 'a', 0o600));
    database = new binding(path, { timeout: busyMilliseconds });
    decipher(database, key);
    findDamage(database, path);
    migrateStore(database, upTo);
    return database;
  } catch (cause) {
    closeQuietly(database);
    throw storeErrorOf(cause);
  }
}

/** SQLCipher 4: AES-256 in CBC and HMAC-SHA-512 over each page, under a key of 32 octets as it is. */
function decipher(database: SqliteDatabase, key: SecretBytes): void {
  database.pragma("cipher = 'sqlcipher'");
  database.pragma('legacy = 4');
  key.use((octets) => database.pragma(`key = "x'${toHex(octets)}'"`));
  // A lock for as long as it is open: no second process, and no index of the log in shared memory.
  database.pragma('locking_mode = EXCLUSIVE');
  database.pragma('temp_store = MEMORY');
  if (database.pragma('journal_mode = WAL', { simple: true }) !== 'wal') {
    throw new StoreError('failed', 'the file of the messages cannot be written safely where it is');
  }
  database.pragma('synchronous = FULL');
  database.pragma('secure_delete = ON');
  database.pragma('foreign_keys = ON');
  database.pragma(`cache_size = -${cacheKibibytes}`);
}

/**
 * A page that was changed by anything but us fails its HMAC when it is read. A small file is read whole, a large one when damage was met
 * in it before; otherwise its beginning and what every start needs.
 */
function findDamage(database: SqliteDatabase, path: string): void {
  const isRead = statSync(path).size <= checkedOctets || existsSync(companions(path).suspect);
  if (isRead) {
    const found = database.pragma('quick_check(1)', { simple: true });
    if (found !== 'ok') throw new StoreError('damaged', 'the file of the messages is damaged');
    rmSync(companions(path).suspect, { force: true });
    return;
  }
  database.prepare('SELECT count(*) FROM sqlite_schema').get();
}

/** Makes the next start read the whole file. */
export function suspectDamage(path: string): void {
  try {
    writeFileSync(companions(path).suspect, '', { mode: 0o600 });
  } catch {
    // Where nothing can be written the next start meets the damage as this one did.
  }
}

/** Renames a damaged database with its log. @returns where it is now */
export function setAside(path: string, now: number): string {
  const time = new Date(now)
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replaceAll(':', '-');
  const { log, index, suspect } = companions(path);
  const aside = freeName(path.replace(/\.db$/, `.damaged-${time}`));
  if (existsSync(log)) renameSync(log, companions(aside).log);
  renameSync(path, aside);
  for (const gone of [index, suspect]) rmSync(gone, { force: true });
  syncFolder(dirname(path));
  return aside;
}

function freeName(base: string): string {
  for (let number = 1; ; number++) {
    const name = number === 1 ? `${base}.db` : `${base}-${number}.db`;
    if (!existsSync(name)) return name;
  }
}

/** Octets on the disk. */
export function octetsOf(path: string): number {
  return [path, companions(path).log].reduce((octets, file) => octets + (sizeOf(file) ?? 0), 0);
}

export function sizeOf(file: string): number | undefined {
  return statSync(file, { throwIfNoEntry: false })?.size;
}

function closeQuietly(database: SqliteDatabase | undefined): void {
  try {
    database?.close();
  } catch {
    // The failure that led here is the one to tell.
  }
}

/** Makes names durable; Windows knows no such call for a folder, and needs none. */
function syncFolder(folder: string): void {
  if (process.platform === 'win32') return;
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

import { equalBytes, toHex } from '../base/bytes.ts';
import { describeError, ProtocolError } from '../base/errors.ts';
import type { Random } from '../base/random.ts';
import { SecretBytes } from '../base/secret-bytes.ts';
import { bytesIdentity, sameIdentity, type MikeyIdentity, type TpkRing } from '../protocol/mikey/index.ts';
import { tpkContext, type KeyEncryptionKey } from './key-encryption-key.ts';
import { KmsStorageError, replicaClockMilliseconds, type KmsStorage, type StoredTpk } from './ports.ts';

const tpkOctets = 32;
const tpkIdOctets = 8;

/** A ticket protection key outside storage. */
export interface TpkEntry {
  readonly id: Uint8Array;
  readonly key: SecretBytes;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

export interface TpkRotation {
  /** A key older than this gets a successor. */
  readonly renewAfterSeconds: number;
  /** Longest life of a ticket: so long a key is kept after its successor took over. */
  readonly keepSeconds: number;
  /** A new key is known this long before it protects anything; more than twice `refreshSeconds`. */
  readonly announceSeconds: number;
  /** No question is answered with a ring older than this. */
  readonly refreshSeconds: number;
}

/** 30 days; a minute for every replica to learn a new key. */
export const defaultRotation: TpkRotation = {
  renewAfterSeconds: 30 * 24 * 3600,
  keepSeconds: 7 * 24 * 3600,
  announceSeconds: 60,
  refreshSeconds: 10,
};

/** For tickets under keys that nobody knows the storage is asked no more often than this. */
const learnEveryMilliseconds = 1000;

export function createTpk(random: Random, now: number): TpkEntry {
  return { id: random.bytes(tpkIdOctets), key: new SecretBytes(random.bytes(tpkOctets)), createdAt: now };
}

/**
 * A ring that stays as it is; the last entry protects new tickets.
 * @throws ProtocolError `local` when there is no key.
 */
export function createTpkRing(entries: readonly TpkEntry[]): TpkRing {
  const keys = entries.map(({ id, key }) => ({ id: bytesIdentity(id), key }));
  const current = keys.at(-1);
  if (current === undefined) throw new ProtocolError('local', 'empty', { field: 'kms.tpks', expected: 'a key' });
  return {
    current,
    find: (id) => (id === undefined ? undefined : keys.find((one) => sameIdentity(one.id, id))?.key),
  };
}

interface OpenedTpk {
  readonly stored: StoredTpk;
  readonly id: MikeyIdentity;
  readonly key: SecretBytes;
}

/** What the ring tells about a key: never the key. */
export interface TpkState {
  readonly id: Uint8Array;
  readonly createdAt: number;
  readonly activeFrom: number;
  /** `announced` protects nothing yet; `current` protects new tickets; `old` opens those that still live. */
  readonly state: 'announced' | 'current' | 'old';
  /** When it is dropped, once a successor is known. */
  readonly dropAfter: number | undefined;
}

/** The key that protects new tickets at a time: the newest whose time has come. */
function currentAt(tpks: readonly StoredTpk[], now: number): StoredTpk | undefined {
  return tpks.findLast(({ activeFrom }) => activeFrom <= now) ?? tpks[0];
}

function dropTime(tpks: readonly StoredTpk[], index: number, keepSeconds: number): number | undefined {
  const successor = tpks[index + 1];
  return successor === undefined ? undefined : successor.activeFrom + keepSeconds * 1000 + replicaClockMilliseconds;
}

/** What is to be told of the keys in a storage. */
export function describeTpks(tpks: readonly StoredTpk[], keepSeconds: number, now: number): readonly TpkState[] {
  const current = currentAt(tpks, now);
  return tpks.map((tpk, index) => ({
    id: tpk.id,
    createdAt: tpk.createdAt,
    activeFrom: tpk.activeFrom,
    state: tpk === current ? 'current' : tpk.activeFrom > now ? 'announced' : 'old',
    dropAfter: dropTime(tpks, index, keepSeconds),
  }));
}

/**
 * Adds a ticket protection key that all replicas learn before any of them uses it. The first key of a storage is used at once.
 * @returns the stored key, or `undefined` when somebody else added one at the same time.
 * @throws ProtocolError `local` when the storage's keys are wrapped under another key by now.
 */
export async function announceTpk(
  storage: Pick<KmsStorage, 'tpks' | 'keyCheck'>,
  kek: KeyEncryptionKey,
  entry: TpkEntry,
  announceSeconds: number,
): Promise<StoredTpk | undefined> {
  const newest = (await storage.tpks.list()).at(-1);
  if (newest === undefined) return addTpk(storage, kek, entry, entry.createdAt, newest);
  // Keys are ordered by their making: one that is made by a clock that is behind comes last all the same.
  const createdAt = Math.max(entry.createdAt, newest.createdAt + 1);
  return addTpk(storage, kek, { ...entry, createdAt }, createdAt + announceSeconds * 1000, newest);
}

async function addTpk(
  storage: Pick<KmsStorage, 'tpks' | 'keyCheck'>,
  kek: KeyEncryptionKey,
  { id, key, createdAt }: TpkEntry,
  activeFrom: number,
  newest: StoredTpk | undefined,
): Promise<StoredTpk | undefined> {
  const stored = { id, wrappedKey: kek.wrap(key, tpkContext({ id })), createdAt, activeFrom };
  if (!(await storage.tpks.add(stored, newest?.id))) return undefined;
  try {
    await kek.checkAgainst(storage);
  } catch (error) {
    // The key-encryption key was changed while this one was wrapped: it would open for nobody, and stop every replica.
    await storage.tpks.remove([id]);
    throw error;
  }
  return stored;
}

/** Takes keys over that were kept elsewhere, so that their tickets still resolve. Those that the storage knows are left. */
export async function importTpks(
  storage: Pick<KmsStorage, 'tpks' | 'keyCheck'>,
  kek: KeyEncryptionKey,
  entries: readonly TpkEntry[],
): Promise<number> {
  let count = 0;
  for (const entry of entries) {
    const known = await storage.tpks.list();
    if (known.some(({ id }) => equalBytes(id, entry.id))) continue;
    if ((await addTpk(storage, kek, entry, entry.createdAt, known.at(-1))) !== undefined) count += 1;
  }
  return count;
}

export interface StoredTpkRingOptions {
  readonly storage: Pick<KmsStorage, 'tpks' | 'keyCheck'>;
  readonly kek: KeyEncryptionKey;
  readonly rotation: TpkRotation;
  readonly random: Random;
  readonly now: () => number;
  /** Told when this replica added a key. */
  readonly onRotated?: (tpk: StoredTpk) => Promise<void>;
}

/** Not the question's: another replica may do better. */
function storageFault(cause: unknown): never {
  throw cause instanceof KmsStorageError ? cause : new KmsStorageError(describeError(cause), { cause });
}

/** The keys of a storage, opened; `keepUp` before each use keeps them as the other replicas see them. */
export class StoredTpkRing implements TpkRing {
  readonly #options: StoredTpkRingOptions;
  #tpks: readonly OpenedTpk[] = [];
  #refreshedAt = -Infinity;
  #refreshing: Promise<void> | undefined;

  constructor(options: StoredTpkRingOptions) {
    this.#options = options;
  }

  get current(): { readonly id: MikeyIdentity; readonly key: SecretBytes } {
    const current = currentAt(
      this.#tpks.map(({ stored }) => stored),
      this.#options.now(),
    );
    const opened = this.#tpks.find(({ stored }) => stored === current);
    if (opened === undefined) throw new KmsStorageError('no ticket protection key');
    return opened;
  }

  /** Of the key that protects new tickets; milliseconds since 1970. */
  get currentCreatedAt(): number | undefined {
    const stored = this.#tpks.map((tpk) => tpk.stored);
    return currentAt(stored, this.#options.now())?.createdAt;
  }

  find(id: MikeyIdentity | undefined): SecretBytes | undefined {
    if (id?.type !== 'bytes') return undefined;
    return this.#tpks.find(({ stored }) => equalBytes(stored.id, id.data))?.key;
  }

  /** A replica whose clock is ahead uses a new key before the minute of its announcement has passed here. */
  async learn(id: MikeyIdentity | undefined): Promise<SecretBytes | undefined> {
    if (id?.type !== 'bytes') return undefined;
    await this.#notOlderThan(learnEveryMilliseconds);
    return this.find(id);
  }

  /** Learns what other replicas added, adds a key when one is due, drops those whose last ticket has ended. */
  keepUp(): Promise<void> {
    return this.#notOlderThan(this.#options.rotation.refreshSeconds * 1000);
  }

  #notOlderThan(milliseconds: number): Promise<void> {
    const age = this.#options.now() - this.#refreshedAt;
    // A clock that was set back must not stop the ring from learning.
    if (age >= 0 && age < milliseconds) return Promise.resolve();
    this.#refreshing ??= this.#refresh().finally(() => (this.#refreshing = undefined));
    return this.#refreshing;
  }

  async #refresh(): Promise<void> {
    const { storage, kek, rotation, random, now, onRotated } = this.#options;
    const time = now();
    // A key added under a key-encryption key that was changed meanwhile would open for nobody.
    await kek.checkAgainst(storage).catch(storageFault);
    let tpks = await storage.tpks.list();
    const newest = tpks.at(-1);
    if (newest === undefined || time - newest.createdAt >= rotation.renewAfterSeconds * 1000) {
      const entry = createTpk(random, time);
      const added = await announceTpk(storage, kek, entry, rotation.announceSeconds).catch(storageFault);
      tpks = await storage.tpks.list();
      if (added !== undefined) await onRotated?.(added);
    }
    const ended = tpks.filter((_, index) => (dropTime(tpks, index, rotation.keepSeconds) ?? Infinity) < time);
    if (ended.length > 0) await storage.tpks.remove(ended.map(({ id }) => id));
    this.#take(tpks.filter((tpk) => !ended.includes(tpk)));
    this.#refreshedAt = time;
  }

  #take(tpks: readonly StoredTpk[]): void {
    const before = this.#tpks;
    this.#tpks = tpks.map((stored) => {
      const known = before.find((one) => equalBytes(one.stored.id, stored.id));
      return known === undefined ? this.#open(stored) : { ...known, stored };
    });
    for (const { id, key } of before) if (this.find(id) === undefined) key.dispose();
  }

  #open(stored: StoredTpk): OpenedTpk {
    try {
      const key = this.#options.kek.unwrap(stored.wrappedKey, tpkContext(stored));
      return { stored, id: bytesIdentity(stored.id), key };
    } catch (cause) {
      const name = toHex(stored.id);
      throw new KmsStorageError(`ticket protection key ${name} does not open: ${describeError(cause)}`, { cause });
    }
  }
}

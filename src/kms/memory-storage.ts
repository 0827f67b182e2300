import { equalBytes, toHex } from '../base/bytes.ts';
import { chainLines, chainStart, type AuditLine } from './audit-chain.ts';
import { mainIdentity, replicaClockMilliseconds } from './ports.ts';
import type {
  AuditStore,
  GroupStore,
  KmsStorage,
  Rewrapping,
  StoredGroup,
  StoredTpk,
  StoredUser,
  TpkStore,
  UserStore,
} from './ports.ts';
import type { ReplayMemory } from '../protocol/mikey/index.ts';

export interface MemoryStorageOptions {
  /** Most messages remembered against replay. */
  readonly replayCapacity?: number;
  /** Most audit lines kept; the oldest go first. */
  readonly auditCapacity?: number;
}

const defaultReplayCapacity = 200_000;
const defaultAuditCapacity = 10_000;

/** A storage that ends with the process: for the lab and for tests. "Durable" means no more than "in memory" here. */
export function createMemoryStorage(options: MemoryStorageOptions = {}): KmsStorage {
  const users: MemoryUsers = new MemoryUsers((identity) => groups.has(identity));
  const groups: MemoryGroups = new MemoryGroups(users);
  const tpks = new MemoryTpks();
  let keyCheck: Uint8Array | undefined;
  return {
    users,
    groups,
    replays: new MemoryReplays(options.replayCapacity ?? defaultReplayCapacity),
    tpks,
    audit: new MemoryAudit(options.auditCapacity ?? defaultAuditCapacity),
    keyCheck: {
      get: () => Promise.resolve(keyCheck),
      getOrSet: (fresh) => Promise.resolve((keyCheck ??= fresh)),
    },
    rewrap: (rewrapping) =>
      inPromise(() => {
        const made = [users.rewrapped(rewrapping), tpks.rewrapped(rewrapping)] as const;
        keyCheck = rewrapping.keyCheck;
        users.all = made[0];
        tpks.all = made[1];
      }),
    check: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}

/** What `action` throws becomes a rejection. */
const inPromise = <T>(action: () => T): Promise<T> => Promise.resolve().then(action);

class MemoryUsers implements UserStore {
  all: readonly StoredUser[] = [];
  readonly #isGroup: (identity: string) => boolean;

  constructor(isGroup: (identity: string) => boolean) {
    this.#isGroup = isGroup;
  }

  findByPskId(pskId: string): Promise<StoredUser | undefined> {
    return Promise.resolve(this.all.find((user) => user.pskId === pskId));
  }

  findByIdentity(identity: string): Promise<StoredUser | undefined> {
    return Promise.resolve(this.owner(identity));
  }

  owner(identity: string): StoredUser | undefined {
    return this.all.find(({ identities }) => identities.includes(identity));
  }

  list(): Promise<readonly StoredUser[]> {
    return Promise.resolve(this.all.toSorted((a, b) => (mainIdentity(a) < mainIdentity(b) ? -1 : 1)));
  }

  add(user: StoredUser): ReturnType<UserStore['add']> {
    const isTaken = user.identities.some((identity) => this.owner(identity) !== undefined || this.#isGroup(identity));
    if (isTaken) return Promise.resolve('identity-taken');
    if (this.all.some(({ pskId }) => pskId === user.pskId)) return Promise.resolve('psk-id-taken');
    this.all = [...this.all, user];
    return Promise.resolve('added');
  }

  change(identity: string, change: Parameters<UserStore['change']>[1]): ReturnType<UserStore['change']> {
    const user = this.owner(identity);
    if (user === undefined) return Promise.resolve('unknown');
    if (this.all.some((other) => other !== user && other.pskId === change.pskId))
      return Promise.resolve('psk-id-taken');
    this.all = this.all.map((one) => (one === user ? { ...user, ...change } : one));
    return Promise.resolve('changed');
  }

  rewrapped({ user: rewrap }: Rewrapping): readonly StoredUser[] {
    return this.all.map((user) => ({ ...user, wrappedPsk: rewrap(user) }));
  }
}

class MemoryGroups implements GroupStore {
  readonly #groups = new Map<string, readonly string[]>();
  readonly #users: MemoryUsers;

  constructor(users: MemoryUsers) {
    this.#users = users;
  }

  has(identity: string): boolean {
    return this.#groups.has(identity);
  }

  list(): Promise<readonly StoredGroup[]> {
    const groups = [...this.#groups].map(([identity, members]) => ({ identity, members }));
    return Promise.resolve(groups.sort((a, b) => (a.identity < b.identity ? -1 : 1)));
  }

  put({ identity, members }: StoredGroup): ReturnType<GroupStore['put']> {
    if (this.#users.owner(identity) !== undefined) return Promise.resolve('identity-taken');
    const names = members.map((member) => this.#users.owner(member)?.identities[0]);
    if (names.includes(undefined)) return Promise.resolve('unknown-member');
    this.#groups.set(identity, [...new Set(names.filter((name) => name !== undefined))].sort());
    return Promise.resolve('stored');
  }

  remove(identity: string): ReturnType<GroupStore['remove']> {
    return Promise.resolve(this.#groups.delete(identity) ? 'removed' : 'unknown');
  }

  groupsOf(user: string): Promise<readonly string[]> {
    const found = [...this.#groups].filter(([, members]) => members.includes(user));
    return Promise.resolve(found.map(([identity]) => identity));
  }
}

class MemoryReplays implements ReplayMemory {
  readonly #capacity: number;
  readonly #until = new Map<string, number>();
  #earliest = Infinity;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  remember(digest: Uint8Array, until: number, now: number): 'new' | 'replayed' | 'full' {
    const name = toHex(digest);
    if ((this.#until.get(name) ?? -Infinity) >= now) return 'replayed';
    if (this.#until.size >= this.#capacity) this.#dropExpired(now);
    if (this.#until.size >= this.#capacity) return 'full';
    this.#until.set(name, until);
    this.#earliest = Math.min(this.#earliest, until);
    return 'new';
  }

  #dropExpired(now: number): void {
    const ended = now - replicaClockMilliseconds;
    if (this.#earliest >= ended) return;
    this.#earliest = Infinity;
    for (const [name, until] of this.#until) {
      if (until < ended) this.#until.delete(name);
      else this.#earliest = Math.min(this.#earliest, until);
    }
  }
}

class MemoryTpks implements TpkStore {
  all: readonly StoredTpk[] = [];

  list(): Promise<readonly StoredTpk[]> {
    return Promise.resolve(this.all);
  }

  add(tpk: StoredTpk, newest: Uint8Array | undefined): Promise<boolean> {
    const last = this.all.at(-1)?.id;
    const isExpected = last === undefined || newest === undefined ? last === newest : equalBytes(last, newest);
    if (!isExpected) return Promise.resolve(false);
    this.all = [...this.all, tpk].sort((a, b) => a.createdAt - b.createdAt);
    return Promise.resolve(true);
  }

  remove(ids: readonly Uint8Array[]): Promise<void> {
    this.all = this.all.filter(({ id }) => !ids.some((other) => equalBytes(id, other)));
    return Promise.resolve();
  }

  rewrapped({ tpk: rewrap }: Rewrapping): readonly StoredTpk[] {
    return this.all.map((tpk) => ({ ...tpk, wrappedKey: rewrap(tpk) }));
  }
}

class MemoryAudit implements AuditStore {
  readonly #capacity: number;
  #lines: AuditLine[] = [];

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  append(entry: Parameters<AuditStore['append']>[0]): ReturnType<AuditStore['append']> {
    const lines = chainLines(this.#lines.at(-1) ?? chainStart, [entry]);
    this.#lines.push(...lines);
    // Seldom and many at a time: taking one from the front of an array moves all others.
    if (this.#lines.length >= 2 * this.#capacity) this.#lines = this.#lines.slice(-this.#capacity);
    return this.head().then((head) => head ?? chainStart);
  }

  head(): ReturnType<AuditStore['head']> {
    const last = this.#lines.at(-1);
    return Promise.resolve(last && { sequence: last.sequence, hash: last.hash });
  }

  read(after: number, limit: number): ReturnType<AuditStore['read']> {
    return Promise.resolve(this.#lines.filter(({ sequence }) => sequence > after).slice(0, limit));
  }
}

import type { ReplayMemory } from '../protocol/mikey/index.ts';
import type { AuditEntry, AuditHead, AuditLine } from './audit-chain.ts';

/**
 * Clocks of replicas may differ by this, as those of their users may: what ends is kept so much longer in what they share, since one
 * that is behind still needs it.
 */
export const replicaClockMilliseconds = 300_000;

/** The storage cannot be reached, or holds what cannot be: nothing may be answered, and another replica may do better. */
export class KmsStorageError extends Error {
  override readonly name = 'KmsStorageError';
}

/** A key holder as storage keeps it: names in canonical form (profile 6.4), the key only wrapped. */
export interface StoredUser {
  /** Canonical URIs; the first is the main one and names the user. */
  readonly identities: readonly string[];
  /** Name of the key, as it stands in IDRpsk. */
  readonly pskId: string;
  /** Under the key-encryption key, bound to `pskId` and the main identity. */
  readonly wrappedPsk: Uint8Array;
  readonly mayRequest: boolean;
  /** Canonical URIs of users or groups; `undefined` means everybody. */
  readonly allowedResponders: readonly string[] | undefined;
  /** True: proves its key and is refused all the same. */
  readonly isDisabled: boolean;
  /**
   * Certificates that prove this user as the key does: `any` that leads to a trust anchor and names one of the identities, or those with
   * one of these fingerprints (SHA-256, upper-case pairs joined by colons). Absent: none.
   */
  readonly certificates?: 'any' | readonly string[] | undefined;
}

/** The identity that names a user. */
export const mainIdentity = ({ identities }: Pick<StoredUser, 'identities'>): string => identities[0] ?? '';

/** What can be changed of a user; what is absent stays. */
export type UserChange = Partial<
  Pick<StoredUser, 'pskId' | 'wrappedPsk' | 'mayRequest' | 'allowedResponders' | 'isDisabled' | 'certificates'>
>;

export interface UserStore {
  findByPskId(pskId: string): Promise<StoredUser | undefined>;
  /** By any of its identities, in canonical form. */
  findByIdentity(identity: string): Promise<StoredUser | undefined>;
  /** All, in order of their main identity. */
  list(): Promise<readonly StoredUser[]>;
  /** An identity or a key's name belongs to one user or group only. */
  add(user: StoredUser): Promise<'added' | 'identity-taken' | 'psk-id-taken'>;
  /** @param identity any identity of the user. */
  change(identity: string, change: UserChange): Promise<'changed' | 'unknown' | 'psk-id-taken'>;
}

/** Several users under one identity: each member may resolve what is sent to the group. */
export interface StoredGroup {
  readonly identity: string;
  /** Main identities of users. */
  readonly members: readonly string[];
}

export interface GroupStore {
  list(): Promise<readonly StoredGroup[]>;
  /** Makes the group, or gives it other members. Members may be named by any of their identities. */
  put(group: StoredGroup): Promise<'stored' | 'identity-taken' | 'unknown-member'>;
  remove(identity: string): Promise<'removed' | 'unknown'>;
  /** Identities of the groups of which a user, named by its main identity, is a member. */
  groupsOf(user: string): Promise<readonly string[]>;
}

/** A ticket protection key as storage keeps it. */
export interface StoredTpk {
  readonly id: Uint8Array;
  /** Under the key-encryption key, bound to `id`. */
  readonly wrappedKey: Uint8Array;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** From then on it protects new tickets; before, the replicas only learn it. */
  readonly activeFrom: number;
}

export interface TpkStore {
  /** Oldest first. */
  list(): Promise<readonly StoredTpk[]>;
  /**
   * Adds a key unless somebody else did meanwhile.
   * @param newest the id of the newest key that the caller knows, `undefined` when there was none.
   * @returns false when another key is the newest: nothing was added.
   */
  add(tpk: StoredTpk, newest: Uint8Array | undefined): Promise<boolean>;
  remove(ids: readonly Uint8Array[]): Promise<void>;
}

export interface AuditStore {
  /** Resolves when the line is durable; lines that wait together may be written together. */
  append(entry: AuditEntry): Promise<AuditHead>;
  head(): Promise<AuditHead | undefined>;
  /** Lines after a sequence number, in order. */
  read(after: number, limit: number): Promise<readonly AuditLine[]>;
}

/** A value that opens only under the right key-encryption key. */
export interface KeyCheckStore {
  get(): Promise<Uint8Array | undefined>;
  /** What is stored; when nothing is, `fresh` is stored and given back. */
  getOrSet(fresh: Uint8Array): Promise<Uint8Array>;
}

/** How wrapped keys get from one key-encryption key under another. */
export interface Rewrapping {
  readonly keyCheck: Uint8Array;
  readonly user: (user: StoredUser) => Uint8Array;
  readonly tpk: (tpk: StoredTpk) => Uint8Array;
}

/**
 * Everything that replicas of a KMS share. Tickets are not among it: they carry their own keys.
 * Every method rejects with a `KmsStorageError` when the storage cannot be reached.
 */
export interface KmsStorage {
  readonly users: UserStore;
  readonly groups: GroupStore;
  /** One step over all replicas. */
  readonly replays: ReplayMemory;
  readonly tpks: TpkStore;
  readonly audit: AuditStore;
  readonly keyCheck: KeyCheckStore;
  /** Changes all wrapped keys in one step, or none of them. */
  rewrap(rewrapping: Rewrapping): Promise<void>;
  /** Rejects when reading or writing is not possible now. */
  check(): Promise<void>;
  close(): Promise<void>;
}

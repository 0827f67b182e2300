import type { ProtectionLevel } from '../../base/protection-level.ts';
import type { Evidence } from '../evidence.ts';
import { limits } from '../limits.ts';
import type { Note } from '../store/index.ts';

/** A name or a fingerprint that was seen. Plain JSON, never key material. Times in milliseconds since 1970. */
export type Sighting = {
  readonly value: string;
  /** Of what came in, or of what we sent. */
  readonly way: 'in' | 'out';
  readonly firstAt: number;
  readonly lastAt: number;
  readonly count: number;
};

export const sightingKinds = ['levels', 'kms', 'credentials', 'protections', 'fingerprints'] as const;
export type SightingKind = (typeof sightingKinds)[number];

/** What vouched for one peer in one account. */
export type TrustRecord = {
  readonly accountId: string;
  /** KMS user identity. */
  readonly peer: string;
  readonly firstAt: number;
  readonly lastAt: number;
  /** Messages and sessions. */
  readonly count: number;
  /** Protection levels that were reached. */
  readonly levels: readonly Sighting[];
  /** Key management servers that issued the tickets and vouched for the peer. */
  readonly kms: readonly Sighting[];
  /** How this account came to the key that it shares with the KMS (profile 6.3). */
  readonly credentials: readonly Sighting[];
  /** Ciphers, by the names of their suites. */
  readonly protections: readonly Sighting[];
  /** SHA-256 of certificates of the peer's devices. Those of a network's gateway say nothing of the peer, and are not here. */
  readonly fingerprints: readonly Sighting[];
};

/** One message or session, as far as its evidence proved something. */
export interface Observation {
  readonly way: 'in' | 'out';
  readonly at: number;
  readonly level: ProtectionLevel;
  readonly evidence: Evidence;
}

export interface Observed {
  readonly record: TrustRecord;
  /** What was not there before, of a kind of which something else was there. */
  readonly changes: readonly {
    readonly kind: 'kms' | 'fingerprints';
    readonly value: string;
    readonly before: readonly string[];
  }[];
}

export function observe(before: TrustRecord, observation: Observation): Observed {
  const { way, at } = observation;
  const values = valuesOf(observation);
  const changes: Observed['changes'][number][] = [];
  const lists = sightingKinds.map((kind) => {
    const list = before[kind];
    const value = values[kind];
    if (value === undefined) return [kind, list] as const;
    const known = list.filter((sighting) => sighting.way === way);
    const isNew = known.length > 0 && !known.some((sighting) => sighting.value === value);
    if (isNew && (kind === 'kms' || kind === 'fingerprints')) {
      changes.push({ kind, value, before: known.map((sighting) => sighting.value) });
    }
    return [kind, seen(list, value, way, at)] as const;
  });
  const record = {
    ...before,
    ...Object.fromEntries(lists),
    lastAt: Math.max(before.lastAt, at),
    count: before.count + 1,
  };
  return { record, changes };
}

export function newTrustRecord(accountId: string, peer: string, at: number): TrustRecord {
  const none = { levels: [], kms: [], credentials: [], protections: [], fingerprints: [] };
  return { accountId, peer, firstAt: at, lastAt: at, count: 0, ...none };
}

/** Undefined for what is no such record. */
export function readTrustRecord(note: Note): TrustRecord | undefined {
  const record = note as Partial<TrustRecord> | null;
  if (typeof record !== 'object' || record === null) return undefined;
  const { peer, accountId, firstAt, lastAt, count } = record;
  if (typeof peer !== 'string' || typeof accountId !== 'string') return undefined;
  if (typeof firstAt !== 'number' || typeof lastAt !== 'number' || typeof count !== 'number') return undefined;
  const lists = sightingKinds.map((kind) => [kind, sightingsOf(record[kind])] as const);
  return { ...newTrustRecord(accountId, peer, firstAt), lastAt, count, ...listsOf(lists) };
}

function listsOf(
  lists: readonly (readonly [SightingKind, readonly Sighting[]])[],
): Partial<Record<SightingKind, readonly Sighting[]>> {
  return Object.fromEntries(lists);
}

function sightingsOf(value: unknown): readonly Sighting[] {
  return Array.isArray(value) ? value.filter(isSighting) : [];
}

function isSighting(value: unknown): value is Sighting {
  const { value: text, way, firstAt, lastAt, count } = (value ?? {}) as Partial<Sighting>;
  const numbers = [firstAt, lastAt, count].every((number) => typeof number === 'number');
  return numbers && typeof text === 'string' && (way === 'in' || way === 'out');
}

/** What an evidence proves, by kind. What is merely claimed is not here. */
function valuesOf({ level, evidence }: Observation): Partial<Record<SightingKind, string>> {
  switch (evidence.kind) {
    case 'msrp-psk-tls':
      return {
        levels: level,
        kms: evidence.kms,
        protections: `${evidence.tls.version} ${evidence.tls.suite}`,
        ...credentialOf(evidence.ticket),
      };
    case 'message-psk-mime':
      if (evidence.vouchedBy !== 'kms' || evidence.origin !== 'proven') return { levels: level };
      return {
        levels: level,
        kms: evidence.kms,
        protections: evidence.contentEncryption,
        ...credentialOf(evidence.ticket),
      };
    case 'msrp-fingerprint-tls':
      return {
        levels: level,
        protections: `${evidence.tls.version} ${evidence.tls.suite}`,
        // With an indication the other end is the network's gateway (profile 2).
        ...(evidence.indication === 'none' ? { fingerprints: evidence.peerFingerprint } : {}),
      };
    default:
      return { levels: level };
  }
}

function credentialOf({ credential }: { readonly credential?: string }): { readonly credentials?: string } {
  return credential === undefined ? {} : { credentials: credential };
}

/** Those that were not seen for longest go when there are too many. */
function seen(list: readonly Sighting[], value: string, way: Sighting['way'], at: number): readonly Sighting[] {
  const isIt = (sighting: Sighting): boolean => sighting.value === value && sighting.way === way;
  const known = list.find(isIt);
  const sighting: Sighting = {
    value,
    way,
    firstAt: known?.firstAt ?? at,
    lastAt: Math.max(known?.lastAt ?? at, at),
    count: (known?.count ?? 0) + 1,
  };
  const others = list.filter((other) => !isIt(other)).sort((one, other) => other.lastAt - one.lastAt);
  return [sighting, ...others.slice(0, limits.trustSightings - 1)];
}

import { ProtocolError } from '../base/errors.ts';
import type { Random } from '../base/random.ts';
import { SecretBytes } from '../base/secret-bytes.ts';
import { bytesIdentity, sameIdentity, type TpkRing } from '../protocol/mikey/index.ts';

const tpkOctets = 32;
const tpkIdOctets = 8;

/** A ticket protection key as it is kept. */
export interface TpkEntry {
  readonly id: Uint8Array;
  readonly key: SecretBytes;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

export interface TpkRotation {
  /** A key older than this protects no new tickets. */
  readonly renewAfterSeconds: number;
  /** Longest life of a ticket: so long a key is kept after its successor came. */
  readonly keepSeconds: number;
}

export function createTpk(random: Random, now: number): TpkEntry {
  return { id: random.bytes(tpkIdOctets), key: new SecretBytes(random.bytes(tpkOctets)), createdAt: now };
}

/** Drops keys whose last ticket has ended and adds one when the newest is old. Newest last. */
export function rotateTpks(
  entries: readonly TpkEntry[],
  { renewAfterSeconds, keepSeconds }: TpkRotation,
  random: Random,
  now: number,
): readonly TpkEntry[] {
  const sorted = [...entries].sort((a, b) => a.createdAt - b.createdAt);
  const newest = sorted.at(-1);
  const isDue = newest === undefined || now - newest.createdAt >= renewAfterSeconds * 1000;
  const all = isDue ? [...sorted, createTpk(random, now)] : sorted;
  return all.filter((_, index) => {
    const successor = all[index + 1];
    return successor === undefined || now - successor.createdAt <= keepSeconds * 1000;
  });
}

/** @throws ProtocolError `local` when there is no key. */
export function createTpkRing(entries: readonly TpkEntry[]): TpkRing {
  const keys = entries.map(({ id, key }) => ({ id: bytesIdentity(id), key }));
  const current = keys.at(-1);
  if (current === undefined) throw new ProtocolError('local', 'empty', { field: 'kms.tpks', expected: 'a key' });
  return {
    current,
    find: (id) => (id === undefined ? undefined : keys.find((one) => sameIdentity(one.id, id))?.key),
  };
}

import type { Admission } from '../../protocol/mikey/index.ts';
import { TokenBuckets, type BucketRate } from '../token-buckets.ts';
import type { ConnectionLimits } from './connection-gate.ts';

/** How much of the server one client may take. */
export interface KmsLimits extends ConnectionLimits {
  /** Exchanges of one user, counted once the user is proven, so that nobody can use up another's. */
  readonly perUser: BucketRate;
  /** Exchanges of one peer KMS, which speaks for many users. */
  readonly perPeer: BucketRate;
  /** Requests from one address, counted before their body is read. */
  readonly perAddress: BucketRate;
  /** Users and addresses remembered at a time, each. */
  readonly maxKeys: number;
}

/**
 * For a server that people use from homes, offices and behind the address translation of mobile networks: far more than a UE needs,
 * far less than a core can do.
 */
export const defaultLimits: KmsLimits = {
  perUser: { perSecond: 5, burst: 100 },
  perPeer: { perSecond: 500, burst: 2000 },
  perAddress: { perSecond: 50, burst: 500 },
  connectionsPerAddress: 256,
  newConnectionsPerAddress: { perSecond: 50, burst: 500 },
  maxKeys: 100_000,
};

/** What the KMS asks once it knows who a question is from. */
export function createAdmission({
  perUser,
  perPeer,
  maxKeys,
}: Pick<KmsLimits, 'perUser' | 'perPeer' | 'maxKeys'>): Admission {
  const users = new TokenBuckets(perUser, maxKeys);
  const peers = new TokenBuckets(perPeer, maxKeys);
  return ({ name, peer }, now) => (peer === undefined ? users : peers).take(name, now);
}

import { ProtocolError } from '../../base/errors.ts';
import { isWeaker, passwordAlgorithms, type DigestAlgorithm } from './algorithms.ts';
import { readAuthParams } from './auth-params.ts';

export type QualityOfProtection = 'auth' | 'auth-int';

/** One `WWW-Authenticate` or `Proxy-Authenticate` value that we can answer (RFC 7616 clause 3.3, RFC 8760). */
export interface DigestChallenge {
  readonly realm: string;
  readonly nonce: string;
  readonly opaque: string | undefined;
  readonly algorithm: DigestAlgorithm;
  /** False when the server left the algorithm out: then so do we. */
  readonly namesAlgorithm: boolean;
  /** Undefined for a server of RFC 2069 that offers no quality of protection. */
  readonly qop: QualityOfProtection | undefined;
  readonly stale: boolean;
  /** The server takes the user name as a hash (RFC 7616 clause 3.4.4). */
  readonly userhash: boolean;
  /** The server said `charset=UTF-8`: user name and password are normalised (RFC 7616 clause 4). */
  readonly isUnicode: boolean;
}

export interface ChallengeChoice {
  /** What may be answered; the password's when absent. */
  readonly algorithms?: readonly DigestAlgorithm[];
  /** Which quality of protection to take where both are offered; `auth` when absent. */
  readonly prefers?: QualityOfProtection;
}

/** Challenges of one answer that are looked at; a server offers one for each algorithm and realm. */
const maxChallenges = 16;

/**
 * The strongest challenge among the header values, of equally strong ones the topmost: RFC 8760 clause 2.4 lets the server's order
 * decide "unless a local policy dictates otherwise", and ours is that nothing weaker is answered where something stronger is
 * offered. What is of another scheme, asks for an algorithm that may not be answered, or is malformed, is skipped.
 */
export function selectChallenge(
  headerValues: readonly string[],
  algorithms: readonly DigestAlgorithm[] = passwordAlgorithms,
): DigestChallenge | undefined {
  return strongest(readChallenges(headerValues, { algorithms }));
}

/** Every challenge that can be answered, in order; at most 16 header values are looked at. */
export function readChallenges(headerValues: readonly string[], choice: ChallengeChoice = {}): DigestChallenge[] {
  return headerValues.slice(0, maxChallenges).flatMap((value) => readUsableChallenge(value, choice));
}

/** The topmost of the strongest; undefined when there is none. */
export function strongest(challenges: readonly DigestChallenge[]): DigestChallenge | undefined {
  return challenges.reduce<DigestChallenge | undefined>(
    (best, next) => (best === undefined || isWeaker(best.algorithm, next.algorithm) ? next : best),
    undefined,
  );
}

/** @throws ProtocolError `malformed`, or `unsupported` for a scheme, algorithm or qop that we cannot answer. */
export function readChallenge(
  headerValue: string,
  algorithms: readonly DigestAlgorithm[] = passwordAlgorithms,
  prefers: QualityOfProtection = 'auth',
): DigestChallenge {
  const { scheme, values } = readAuthParams(headerValue, 'digest.challenge');
  if (scheme !== 'digest') unsupported('scheme', 'Digest');
  const realm = values.get('realm');
  const nonce = values.get('nonce');
  if (realm === undefined || nonce === undefined) {
    throw new ProtocolError('malformed', 'incomplete', { field: 'digest.challenge', expected: 'realm and nonce' });
  }
  const name = values.get('algorithm');
  return {
    realm,
    nonce,
    opaque: values.get('opaque'),
    // RFC 3310 clause 3.1: without a name it is MD5, also for somebody who can do AKA.
    algorithm: readAlgorithm(name ?? 'MD5', algorithms),
    namesAlgorithm: name !== undefined,
    qop: readQop(values.get('qop'), prefers),
    stale: isTrue(values.get('stale')),
    userhash: isTrue(values.get('userhash')),
    isUnicode: values.get('charset')?.toUpperCase() === 'UTF-8',
  };
}

function readUsableChallenge(headerValue: string, { algorithms, prefers }: ChallengeChoice): DigestChallenge[] {
  try {
    return [readChallenge(headerValue, algorithms, prefers)];
  } catch (error) {
    if (error instanceof ProtocolError) return [];
    throw error;
  }
}

function readAlgorithm(name: string, algorithms: readonly DigestAlgorithm[]): DigestAlgorithm {
  const algorithm = algorithms.find((known) => known.toUpperCase() === name.toUpperCase());
  return algorithm ?? unsupported('algorithm', algorithms.join(', '));
}

// Plain `auth` first unless the account is set otherwise: a proxy that touches a body, as an IMS-ALG does, breaks auth-int.
function readQop(list: string | undefined, prefers: QualityOfProtection): QualityOfProtection | undefined {
  if (list === undefined) return undefined;
  const offered = list.split(',').map((option) => option.trim().toLowerCase());
  const known = [prefers, 'auth', 'auth-int'] as const;
  return known.find((quality) => offered.includes(quality)) ?? unsupported('qop', 'auth or auth-int');
}

function isTrue(value: string | undefined): boolean {
  return value?.toLowerCase() === 'true';
}

function unsupported(name: string, expected: string): never {
  throw new ProtocolError('unsupported', 'cannot be answered', { field: `digest.challenge.${name}`, expected });
}

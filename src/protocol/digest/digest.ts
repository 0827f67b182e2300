import { concatBytes, toHex, utf8 } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import type { SecretBytes } from '../../base/secret-bytes.ts';
import { md5, sha256 } from '../../crypto/digest.ts';
import type { AkaDigestAlgorithm } from '../gba/index.ts';
import { quoted, readAuthParams } from './auth-params.ts';

export type DigestAlgorithm = 'MD5' | 'MD5-sess' | 'SHA-256' | 'SHA-256-sess' | AkaDigestAlgorithm;
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
}

/** What goes into a response value (RFC 7616 clause 3.4.1). */
export interface DigestInput {
  readonly algorithm: DigestAlgorithm;
  readonly username: string;
  readonly realm: string;
  /** UTF-8 octets. */
  readonly password: SecretBytes;
  readonly method: string;
  readonly uri: string;
  readonly nonce: string;
  readonly qop: QualityOfProtection | undefined;
  /** Eight hexadecimal digits; needed with a quality of protection. */
  readonly nonceCount: string;
  readonly cnonce: string;
  readonly body: Uint8Array;
}

/**
 * What an account with a password answers. RFC 8760 clause 2.4 lets the client's policy choose among what the server offers: ours
 * is the strongest first.
 */
export const passwordAlgorithms: readonly DigestAlgorithm[] = ['SHA-256', 'SHA-256-sess', 'MD5', 'MD5-sess'];
/** What an account with a SIM answers; RFC 4169 clause 4.1 wants version 2 where both are offered. */
export const akaAlgorithms: readonly AkaDigestAlgorithm[] = ['AKAv2-SHA-256', 'AKAv2-MD5', 'AKAv1-MD5'];

/** Whether `algorithm` rests on a weaker hash than `other`. */
export function isWeaker(algorithm: DigestAlgorithm, other: DigestAlgorithm): boolean {
  return algorithm.startsWith('MD5') && !other.startsWith('MD5');
}

/**
 * The challenge among the header values whose algorithm stands first in `algorithms`; others are skipped, be they of another
 * scheme, an algorithm that is not in the list, or malformed. Undefined when none is left.
 */
export function selectChallenge(
  headerValues: readonly string[],
  algorithms: readonly DigestAlgorithm[] = passwordAlgorithms,
): DigestChallenge | undefined {
  const known = headerValues.flatMap((value) => readUsableChallenge(value, algorithms));
  return known.sort((a, b) => algorithms.indexOf(a.algorithm) - algorithms.indexOf(b.algorithm))[0];
}

/** @throws ProtocolError `malformed`, or `unsupported` for a scheme, algorithm or qop that we cannot answer. */
export function readChallenge(
  headerValue: string,
  algorithms: readonly DigestAlgorithm[] = passwordAlgorithms,
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
    qop: readQop(values.get('qop')),
    stale: values.get('stale')?.toLowerCase() === 'true',
  };
}

/** Lower-case hexadecimal response value. */
export function digestResponse(input: DigestInput): string {
  const hash = input.algorithm.includes('SHA-256') ? sha256 : md5;
  const digest = (...parts: (string | Uint8Array)[]): string =>
    toHex(hash(concatBytes(...parts.map((part) => (typeof part === 'string' ? utf8(part) : part)))));
  const { nonce, cnonce, qop, method, uri } = input;
  const base = input.password.use((password) => digest(`${input.username}:${input.realm}:`, password));
  const a1 = input.algorithm.endsWith('-sess') ? digest(`${base}:${nonce}:${cnonce}`) : base;
  const a2 = qop === 'auth-int' ? digest(`${method}:${uri}:${digest(input.body)}`) : digest(`${method}:${uri}`);
  return qop === undefined
    ? digest(`${a1}:${nonce}:${a2}`)
    : digest(`${a1}:${nonce}:${input.nonceCount}:${cnonce}:${qop}:${a2}`);
}

export interface DigestAnswerInput {
  readonly challenge: DigestChallenge;
  readonly username: string;
  readonly password: SecretBytes;
  readonly method: string;
  readonly uri: string;
  readonly body: Uint8Array;
  /** 1 for the first request under this nonce, then one more each time. */
  readonly nonceCount: number;
  readonly cnonce: string;
  /** Tells the network where our sequence numbers are (RFC 3310 clause 3.4), base64; the password is empty then. */
  readonly auts?: string;
  /** Whether to write `uri`; some MSRP relays cannot read it. Default true. */
  readonly namesUri?: boolean;
}

/** The value of an `Authorization` or `Proxy-Authorization` header. */
export function answerChallenge(input: DigestAnswerInput): string {
  const { challenge, username, uri, cnonce } = input;
  const { algorithm, realm, nonce, qop, opaque } = challenge;
  const nonceCount = input.nonceCount.toString(16).padStart(8, '0');
  const response = digestResponse({ ...input, algorithm, realm, nonce, qop, nonceCount });
  const text = (name: string, value: string): string => `${name}=${quoted(value, `digest.authorization.${name}`)}`;
  const fields = [text('username', username), text('realm', realm), text('nonce', nonce)];
  if (input.namesUri !== false) fields.push(text('uri', uri));
  fields.push(text('response', response));
  if (challenge.namesAlgorithm) fields.push(`algorithm=${algorithm}`);
  // A -sess algorithm hashes the cnonce, so the server needs it even without qop.
  if (qop !== undefined || algorithm.endsWith('-sess')) fields.push(text('cnonce', cnonce));
  if (qop !== undefined) fields.push(`qop=${qop}`, `nc=${nonceCount}`);
  if (opaque !== undefined) fields.push(text('opaque', opaque));
  if (input.auts !== undefined) fields.push(text('auts', input.auts));
  return `Digest ${fields.join(', ')}`;
}

/**
 * What a UE says to a challenge whose sender did not prove itself (TS 24.229 clause 5.1.1.5.3): an empty response and no `auts`,
 * which tells that the MAC was wrong and nothing else.
 */
export function refuseChallenge(challenge: DigestChallenge, username: string, uri: string): string {
  const { algorithm, realm, nonce, opaque } = challenge;
  const text = (name: string, value: string): string => `${name}=${quoted(value, `digest.authorization.${name}`)}`;
  const fields = [text('username', username), text('realm', realm), text('nonce', nonce), text('uri', uri)];
  fields.push('response=""', `algorithm=${algorithm}`);
  if (opaque !== undefined) fields.push(text('opaque', opaque));
  return `Digest ${fields.join(', ')}`;
}

/**
 * Header of a first REGISTER, which tells the network the private identity before any challenge
 * (TS 24.229 clause 5.1.1.2): empty nonce and response.
 */
export function initialAuthorization(username: string, realm: string, uri: string): string {
  const text = (name: string, value: string): string => `${name}=${quoted(value, `digest.authorization.${name}`)}`;
  return `Digest ${[text('username', username), text('realm', realm), text('uri', uri)].join(', ')}, nonce="", response=""`;
}

/** `nextnonce` of an `Authentication-Info` header (RFC 7616 clause 3.5), undefined when absent or unreadable. */
export function readNextNonce(headerValue: string | undefined): string | undefined {
  if (headerValue === undefined) return undefined;
  try {
    return readAuthParams(headerValue, 'digest.authenticationInfo', false).values.get('nextnonce');
  } catch {
    return undefined;
  }
}

function readUsableChallenge(headerValue: string, algorithms: readonly DigestAlgorithm[]): DigestChallenge[] {
  try {
    return [readChallenge(headerValue, algorithms)];
  } catch (error) {
    if (error instanceof ProtocolError) return [];
    throw error;
  }
}

function readAlgorithm(name: string, algorithms: readonly DigestAlgorithm[]): DigestAlgorithm {
  const algorithm = algorithms.find((known) => known.toUpperCase() === name.toUpperCase());
  return algorithm ?? unsupported('algorithm', algorithms.join(', '));
}

// Plain `auth` first: some servers offer auth-int and fail to check it when a proxy touched the body's headers.
function readQop(list: string | undefined): QualityOfProtection | undefined {
  if (list === undefined) return undefined;
  const offered = list.split(',').map((option) => option.trim().toLowerCase());
  if (offered.includes('auth')) return 'auth';
  return offered.includes('auth-int') ? 'auth-int' : unsupported('qop', 'auth or auth-int');
}

function unsupported(name: string, expected: string): never {
  throw new ProtocolError('unsupported', 'cannot be answered', { field: `digest.challenge.${name}`, expected });
}

import { utf8 } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import type { SecretBytes } from '../../base/secret-bytes.ts';
import { constantTimeEqual } from '../../crypto/constant-time.ts';
import { quoted, readAuthParams } from '../../protocol/digest/auth-params.ts';
import { digestResponse } from '../../protocol/digest/digest.ts';

/** Digest algorithms of reference point Ub: AKA (RFC 3310, RFC 4169) and, for GBA_Digest, RFC 7616. */
export const ubAlgorithms = ['AKAv1-MD5', 'AKAv2-MD5', 'MD5', 'SHA-256'] as const;
export type UbAlgorithm = (typeof ubAlgorithms)[number];

/** The challenge of a BSF. Its quality of protection is auth-int: bodies of both sides are covered (TS 24.109 clause 4). */
export interface UbChallenge {
  readonly realm: string;
  readonly nonce: string;
  readonly opaque: string | undefined;
  readonly algorithm: UbAlgorithm;
  readonly stale: boolean;
}

/** Who asks for what, the same for each question of one bootstrapping. */
export interface UbSubject {
  /** IMPI. */
  readonly username: string;
  /** Path of the question. */
  readonly uri: string;
}

/** One answer to a challenge, with what is needed to check the BSF's answer to it. */
export interface UbResponse {
  /** Value of the `Authorization` header. */
  readonly authorization: string;
  /** The `response` in it. */
  readonly response: string;
  readonly challenge: UbChallenge;
  readonly subject: UbSubject;
  readonly cnonce: string;
}

const method = 'GET';
const nonceCount = '00000001';
const noBody = new Uint8Array();

/** @throws ProtocolError `malformed`, or `unsupported` for a challenge that we cannot answer. */
export function readUbChallenge(header: string | undefined): UbChallenge {
  const { scheme, values } = readAuthParams(header ?? '', 'bsf.challenge');
  const realm = values.get('realm');
  const nonce = values.get('nonce');
  if (scheme !== 'digest' || realm === undefined || nonce === undefined) {
    throw new ProtocolError('malformed', 'incomplete', { field: 'bsf.challenge', expected: 'Digest, realm and nonce' });
  }
  const name = values.get('algorithm') ?? 'MD5';
  const algorithm = ubAlgorithms.find((known) => known.toUpperCase() === name.toUpperCase());
  if (algorithm === undefined) unsupported('algorithm', ubAlgorithms.join(', '));
  const qualities = (values.get('qop') ?? '').split(',').map((quality) => quality.trim().toLowerCase());
  if (!qualities.includes('auth-int')) unsupported('qop', 'auth-int');
  const stale = values.get('stale')?.toLowerCase() === 'true';
  return { realm, nonce, opaque: values.get('opaque'), algorithm, stale };
}

/** The first question names the subscriber and answers no challenge yet (TS 24.109 clause 4.3). */
export function firstAuthorization({ username, uri }: UbSubject, realm: string): string {
  return `Digest ${[text('username', username), text('realm', realm), 'nonce=""', text('uri', uri)].join(', ')}, response=""`;
}

/** @param auts base64, in a resynchronisation of AKA, where the password is empty (RFC 3310 clause 3.4) */
export function answerUbChallenge(
  challenge: UbChallenge,
  subject: UbSubject,
  password: SecretBytes,
  cnonce: string,
  auts?: string,
): UbResponse {
  const response = ubResponse(challenge, subject, password, cnonce, method, noBody);
  const fields = [
    text('username', subject.username),
    text('realm', challenge.realm),
    text('nonce', challenge.nonce),
    text('uri', subject.uri),
    text('response', response),
    `algorithm=${challenge.algorithm}`,
    'qop=auth-int',
    `nc=${nonceCount}`,
    text('cnonce', cnonce),
    ...(challenge.opaque === undefined ? [] : [text('opaque', challenge.opaque)]),
    ...(auts === undefined ? [] : [text('auts', auts)]),
  ];
  return { authorization: `Digest ${fields.join(', ')}`, response, challenge, subject, cnonce };
}

/**
 * Whether the answer comes from somebody who knows the password too (RFC 7616 clause 3.5): `rspauth` covers the body and our
 * cnonce. An answer without it proves nothing.
 */
export function isProvenAnswer(
  { challenge, subject, cnonce }: UbResponse,
  password: SecretBytes,
  authenticationInfo: string | undefined,
  body: Uint8Array,
): boolean {
  let values;
  try {
    values = readAuthParams(authenticationInfo ?? '', 'bsf.authenticationInfo', false).values;
  } catch {
    return false;
  }
  const isOurs =
    (values.get('cnonce') ?? cnonce) === cnonce &&
    (values.get('nc') ?? nonceCount) === nonceCount &&
    (values.get('qop') ?? 'auth-int').toLowerCase() === 'auth-int';
  const expected = ubResponse(challenge, subject, password, cnonce, '', body);
  return isOurs && constantTimeEqual(utf8((values.get('rspauth') ?? '').toLowerCase()), utf8(expected));
}

/** What the BSF puts into `Authentication-Info`. @param nc as the question gave it */
export function provingInfo(
  challenge: UbChallenge,
  subject: UbSubject,
  password: SecretBytes,
  cnonce: string,
  body: Uint8Array,
): string {
  const rspauth = ubResponse(challenge, subject, password, cnonce, '', body);
  return [text('rspauth', rspauth), 'qop=auth-int', text('cnonce', cnonce), `nc=${nonceCount}`].join(', ');
}

/** A `response`, or with an empty method an `rspauth` (RFC 7616 clause 3.5). */
export function ubResponse(
  { algorithm, realm, nonce }: Pick<UbChallenge, 'algorithm' | 'realm' | 'nonce'>,
  { username, uri }: UbSubject,
  password: SecretBytes,
  cnonce: string,
  method: string,
  body: Uint8Array,
): string {
  // RFC 3310 clause 3: AKA changes where the password comes from, the hash is MD5.
  const hash = algorithm === 'SHA-256' ? algorithm : 'MD5';
  return digestResponse({
    algorithm: hash,
    username,
    realm,
    password,
    method,
    uri,
    nonce,
    qop: 'auth-int',
    nonceCount,
    cnonce,
    body,
  });
}

const text = (name: string, value: string): string => `${name}=${quoted(value, `bsf.authorization.${name}`)}`;

function unsupported(name: string, expected: string): never {
  throw new ProtocolError('unsupported', 'cannot be answered', { field: `bsf.challenge.${name}`, expected });
}

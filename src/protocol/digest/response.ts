import { concatBytes, fromUtf8, toHex, utf8 } from '../../base/bytes.ts';
import { SecretBytes } from '../../base/secret-bytes.ts';
import { hashOf, isSession, type DigestAlgorithm } from './algorithms.ts';
import { quoted } from './auth-params.ts';
import type { DigestChallenge, QualityOfProtection } from './challenge.ts';

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

/** Lower-case hexadecimal response value. */
export function digestResponse(input: DigestInput): string {
  const hash = hashOf(input.algorithm);
  const digest = (...parts: (string | Uint8Array)[]): string =>
    toHex(hash(concatBytes(...parts.map((part) => (typeof part === 'string' ? utf8(part) : part)))));
  const { nonce, cnonce, qop, method, uri } = input;
  const base = input.password.use((password) => digest(`${input.username}:${input.realm}:`, password));
  const a1 = isSession(input.algorithm) ? digest(`${base}:${nonce}:${cnonce}`) : base;
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

/** Eight hexadecimal digits. */
export function formatNonceCount(count: number): string {
  return count.toString(16).padStart(8, '0');
}

/** What the response to `challenge` is made of, with name and password in the form that the server wants. */
export function responseInput(input: Omit<DigestAnswerInput, 'auts' | 'namesUri'>): DigestInput {
  const { challenge, username, password, method, uri, body, cnonce } = input;
  const { algorithm, realm, nonce, qop, isUnicode } = challenge;
  return {
    algorithm,
    // RFC 7616 clause 3.4.4: the hash of the name is for the wire; the response is made with the name itself.
    username: isUnicode ? username.normalize('NFC') : username,
    password: isUnicode ? normalised(password) : password,
    realm,
    method,
    uri,
    nonce,
    qop,
    nonceCount: formatNonceCount(input.nonceCount),
    cnonce,
    body,
  };
}

/** The value of an `Authorization` or `Proxy-Authorization` header. */
export function answerChallenge(input: DigestAnswerInput): string {
  const { challenge, uri, cnonce } = input;
  const { algorithm, realm, nonce, qop, opaque } = challenge;
  const parts = responseInput(input);
  const response = digestResponse(parts);
  if (parts.password !== input.password) parts.password.dispose();
  const name = challenge.userhash ? hashedUsername(algorithm, parts.username, realm) : parts.username;
  const fields = [text('username', name), text('realm', realm), text('nonce', nonce)];
  if (input.namesUri !== false) fields.push(text('uri', uri));
  fields.push(text('response', response));
  if (challenge.namesAlgorithm) fields.push(`algorithm=${algorithm}`);
  // A -sess algorithm hashes the cnonce, so the server needs it even without qop.
  if (qop !== undefined || isSession(algorithm)) fields.push(text('cnonce', cnonce));
  if (qop !== undefined) fields.push(`qop=${qop}`, `nc=${parts.nonceCount}`);
  if (opaque !== undefined) fields.push(text('opaque', opaque));
  if (challenge.userhash) fields.push('userhash=true');
  if (input.auts !== undefined) fields.push(text('auts', input.auts));
  return `Digest ${fields.join(', ')}`;
}

/** RFC 7616 clause 3.4.4: H(username ":" realm) in hexadecimal. */
export function hashedUsername(algorithm: DigestAlgorithm, username: string, realm: string): string {
  return toHex(hashOf(algorithm)(utf8(`${username}:${realm}`)));
}

/**
 * What a UE says to a challenge whose sender did not prove itself (TS 24.229 clause 5.1.1.5.3): an empty response and no `auts`,
 * which tells that the MAC was wrong and nothing else.
 */
export function refuseChallenge(challenge: DigestChallenge, username: string, uri: string): string {
  const { algorithm, realm, nonce, opaque } = challenge;
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
  return `Digest ${[text('username', username), text('realm', realm), text('uri', uri)].join(', ')}, nonce="", response=""`;
}

function text(name: string, value: string): string {
  return `${name}=${quoted(value, `digest.authorization.${name}`)}`;
}

/** Itself where nothing changes, so that only a copy is disposed. */
function normalised(password: SecretBytes): SecretBytes {
  return password.use((octets) => {
    let plain: string;
    try {
      plain = fromUtf8(octets);
    } catch {
      return password;
    }
    const canonical = plain.normalize('NFC');
    return canonical === plain ? password : new SecretBytes(utf8(canonical));
  });
}

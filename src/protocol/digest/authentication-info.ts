import { utf8 } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { constantTimeEqual } from '../../crypto/constant-time.ts';
import { readAuthParams } from './auth-params.ts';
import { digestResponse, formatNonceCount, responseInput, type DigestAnswerInput } from './response.ts';

/** `Authentication-Info` of an answer (RFC 7616 clause 3.5), or `Proxy-Authentication-Info` (RFC 7615). */
export interface AuthenticationInfo {
  /** For the next request instead of the nonce that was used. */
  readonly nextNonce: string | undefined;
  /** The server's own proof that it knows the password. */
  readonly responseAuth: string | undefined;
  readonly qop: string | undefined;
  readonly cnonce: string | undefined;
  /** As it was written. */
  readonly nonceCount: string | undefined;
}

/** @throws ProtocolError `malformed` */
export function readAuthenticationInfo(headerValue: string): AuthenticationInfo {
  const { values } = readAuthParams(headerValue, 'digest.authenticationInfo', false);
  return {
    nextNonce: values.get('nextnonce'),
    responseAuth: values.get('rspauth'),
    qop: values.get('qop')?.toLowerCase(),
    cnonce: values.get('cnonce'),
    nonceCount: values.get('nc')?.toLowerCase(),
  };
}

/** `nextnonce` of the header, undefined when absent or unreadable. */
export function readNextNonce(headerValue: string | undefined): string | undefined {
  if (headerValue === undefined) return undefined;
  try {
    return readAuthenticationInfo(headerValue).nextNonce;
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

/**
 * Whether `info` proves that the server knows the password: its response value with an empty method and, with auth-int, over the
 * body of the answer; and that it speaks of our request, where it names a count or client nonce.
 * @param sent our answer to the challenge.
 * @param body of the server's answer.
 */
export function provesServer(info: AuthenticationInfo, sent: DigestAnswerInput, body: Uint8Array): boolean {
  const { qop } = sent.challenge;
  if (info.responseAuth === undefined) return false;
  if (info.qop !== undefined && info.qop !== qop) return false;
  if (info.cnonce !== undefined && info.cnonce !== sent.cnonce) return false;
  if (info.nonceCount !== undefined && info.nonceCount !== formatNonceCount(sent.nonceCount)) return false;
  const parts = responseInput({ ...sent, method: '', body });
  const right = digestResponse(parts);
  if (parts.password !== sent.password) parts.password.dispose();
  return constantTimeEqual(utf8(right), utf8(info.responseAuth.toLowerCase()));
}

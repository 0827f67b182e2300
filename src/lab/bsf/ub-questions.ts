import { ProtocolError } from '../../base/errors.ts';
import { readAuthParams } from '../../protocol/digest/auth-params.ts';

/** The `Authorization` of a question over Ub. */
export interface UbAuthorization {
  /** IMPI. */
  readonly username: string;
  readonly realm: string;
  /** Empty in a first question. */
  readonly nonce: string;
  readonly uri: string;
  readonly response: string;
  readonly cnonce: string;
  readonly nonceCount: string;
  readonly qop: string;
  readonly opaque: string;
  readonly auts: string | undefined;
}

const maxIdentityCharacters = 256;

/** @throws ProtocolError `malformed` */
export function readUbAuthorization(header: string): UbAuthorization {
  const { scheme, values } = readAuthParams(header, 'bsf.authorization');
  const text = (name: string): string => values.get(name) ?? '';
  const username = text('username');
  if (scheme !== 'digest' || username === '' || username.length > maxIdentityCharacters) {
    throw new ProtocolError('malformed', 'no user', {
      field: 'bsf.authorization',
      expected: 'Digest with a user name',
    });
  }
  return {
    username,
    realm: text('realm'),
    nonce: text('nonce'),
    uri: text('uri'),
    response: text('response').toLowerCase(),
    cnonce: text('cnonce'),
    nonceCount: text('nc'),
    qop: text('qop').toLowerCase(),
    opaque: text('opaque'),
    auts: values.get('auts'),
  };
}

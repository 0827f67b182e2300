import { equalBytes, fromUtf8, toHex, utf8 } from '../../base/bytes.ts';
import { assertProtocolError } from '../../base/errors.ts';

/** Who a party is (ID Data and ID Type of RFC 3830 6.7 and RFC 6043 6.5). Two identities are the same octet by octet. */
export interface MikeyIdentity {
  readonly type: 'nai' | 'uri' | 'bytes';
  readonly data: Uint8Array;
}

/** An identity that is a URI, taken as it is: canonical form is the caller's affair (profile 6.4). */
export function uriIdentity(uri: string): MikeyIdentity {
  return { type: 'uri', data: utf8(uri) };
}

/** An identity that is an opaque byte string, for example the name of a pre-shared key. */
export function bytesIdentity(data: Uint8Array): MikeyIdentity {
  return { type: 'bytes', data };
}

/** Reading [A27]: type and data must both be equal; there are no wildcards. */
export function sameIdentity(a: MikeyIdentity, b: MikeyIdentity): boolean {
  return a.type === b.type && equalBytes(a.data, b.data);
}

/** For people and logs: the text of a NAI or URI, hexadecimal digits for anything else. */
export function identityText(identity: MikeyIdentity): string {
  if (identity.type === 'bytes') return toHex(identity.data);
  try {
    return fromUtf8(identity.data);
  } catch (error) {
    assertProtocolError(error);
    return toHex(identity.data);
  }
}

import { ProtocolError } from '../../base/errors.ts';
import { parseNameAddress } from './headers.ts';

/**
 * The identity that the network vouches for (RFC 3325 clause 9.1): the sip or sips URI, else the tel URI.
 * @param values of all P-Asserted-Identity fields, lists already split. Undefined when there is none that can be read.
 */
export function assertedIdentity(values: readonly string[]): string | undefined {
  const uris = values.flatMap((value) => {
    try {
      return [parseNameAddress(value, 'sip.P-Asserted-Identity').uri];
    } catch {
      return [];
    }
  });
  return uris.find((uri) => /^sips?:/i.test(uri)) ?? uris.find((uri) => /^tel:/i.test(uri));
}

const unreserved = /[A-Za-z0-9\-._~]/;

/**
 * Canonical form of a user's URI towards the KMS and inside MIKEY identities (profile 6.4); compare the result octet-wise.
 * `sip:user@host` without port, password, parameters and headers, or `tel:+digits`.
 * @throws ProtocolError `malformed` when it is no user's URI, `unsupported` for other schemes and local numbers.
 */
export function kmsUserIdentity(uri: string): string {
  const trimmed = uri.trim();
  if (/^tel:/i.test(trimmed)) return canonicalTel(trimmed);
  if (!/^sips?:/i.test(trimmed)) {
    throw new ProtocolError('unsupported', 'unknown scheme', { field: 'identity', expected: 'sip, sips or tel' });
  }
  const rest = trimmed.slice(trimmed.indexOf(':') + 1);
  const at = rest.lastIndexOf('@', hostBoundary(rest));
  const user = (at < 0 ? '' : rest.slice(0, at)).split(':')[0] ?? '';
  const [, host] = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::\d*)?(?:[;?].*)?$/s.exec(rest.slice(at + 1)) ?? [];
  if (user === '' || host === undefined || /[\s<>"@]/.test(user)) {
    throw new ProtocolError('malformed', 'not the URI of a user', { field: 'identity', expected: 'sip:user@host' });
  }
  return `sip:${canonicalEscapes(user)}@${host.toLowerCase()}`;
}

/** As `kmsUserIdentity`, but undefined where that throws. */
export function tryKmsUserIdentity(uri: string): string | undefined {
  try {
    return kmsUserIdentity(uri);
  } catch {
    return undefined;
  }
}

// A header part (`?subject=a@b`) may hold an @ that does not end the user part.
function hostBoundary(rest: string): number {
  const at = rest.indexOf('@');
  const headers = rest.indexOf('?', at < 0 ? 0 : at);
  return headers < 0 ? rest.length : headers;
}

function canonicalTel(uri: string): string {
  const number = uri.slice(4).split(';')[0] ?? '';
  const digits = number.replace(/[-.()]/g, '');
  if (!/^\+[0-9]{1,20}$/.test(digits)) {
    throw new ProtocolError('unsupported', 'not a global number', { field: 'identity', expected: 'tel:+digits' });
  }
  return `tel:${digits}`;
}

function canonicalEscapes(user: string): string {
  return user.replace(/%([0-9A-Fa-f]{2})/g, (escape, hex: string) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16));
    return unreserved.test(character) ? character : escape.toUpperCase();
  });
}

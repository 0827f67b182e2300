import { ProtocolError } from '../../base/errors.ts';
import { readAuthParams } from '../digest/auth-params.ts';
import type { MsrpHeaders } from './head.ts';
import { malformedMsrp } from './msrp-error.ts';
import { parseMsrpUri } from './uri.ts';

/** What a relay said in a 200 to AUTH (RFC 4976 sections 4.2, 4.5 and 4.6). */
export interface RelayGrant {
  /** In the order of a To-Path: the relay next to us first. */
  readonly usePath: readonly string[];
  /** Seconds for which the URIs are valid. */
  readonly expires: number | undefined;
  readonly info: AuthenticationInfo | undefined;
}

/** Authentication-Info; RFC 4976 section 9.1 wants all but `nextnonce` in every 200. */
export interface AuthenticationInfo {
  readonly nextNonce: string | undefined;
  /** The relay's own proof that it knows the password. */
  readonly responseAuth: string | undefined;
}

/** Relays in one path; more is somebody's mistake. */
const maxRelays = 8;
const maxSeconds = 2 ** 31;

/** @throws ProtocolError `malformed` when it grants nothing that can be used. */
export function readGrant(headers: MsrpHeaders): RelayGrant {
  return { usePath: readUsePath(headers), expires: readSeconds(headers, 'Expires'), info: readInfo(headers) };
}

/** Seconds in a header of time, undefined when it is absent or no number. */
export function readSeconds(headers: MsrpHeaders, name: 'Expires' | 'Min-Expires' | 'Max-Expires'): number | undefined {
  const value = headerValues(headers, name)[0];
  if (value === undefined || !/^\d{1,10}$/.test(value)) return undefined;
  const seconds = Number(value);
  return seconds <= maxSeconds ? seconds : maxSeconds;
}

/** Values of all header fields of that name, in order. */
export function headerValues({ other }: MsrpHeaders, name: string): string[] {
  const wanted = name.toLowerCase();
  return other.filter((header) => header.name.toLowerCase() === wanted).map(({ value }) => value);
}

/**
 * RFC 4976 section 4.2 wants a domain name and an explicit port; a numeric address is taken too, since relays without a
 * name in their configuration give one. Section 9.2: the connection to a relay is TLS.
 */
function readUsePath(headers: MsrpHeaders): readonly string[] {
  const uris = (headerValues(headers, 'Use-Path')[0] ?? '').split(/[ \t]+/).filter((uri) => uri !== '');
  if (uris.length === 0 || uris.length > maxRelays) {
    throw malformedMsrp('Use-Path', 0, `${uris.length} URIs`, `1 to ${maxRelays}`);
  }
  for (const text of uris) {
    const { scheme, port, sessionId } = parseMsrpUri(text, 'Use-Path');
    if (scheme !== 'msrps' || port === undefined || sessionId === undefined) {
      throw malformedMsrp('Use-Path', 0, 'not the URI of a relay', 'msrps with port and session id');
    }
  }
  return uris;
}

function readInfo(headers: MsrpHeaders): AuthenticationInfo | undefined {
  const value = headerValues(headers, 'Authentication-Info')[0];
  if (value === undefined) return undefined;
  try {
    const { values } = readAuthParams(value, 'msrp.Authentication-Info', false);
    return { nextNonce: values.get('nextnonce'), responseAuth: values.get('rspauth') };
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

import { malformedMsrp } from './msrp-error.ts';

/** An MSRP URI, RFC 4975 sections 6 and 9. */
export interface MsrpUri {
  readonly scheme: 'msrp' | 'msrps';
  readonly userInfo?: string;
  /** Name, IPv4 address, or IPv6 address in brackets; as written. */
  readonly host: string;
  readonly port?: number;
  /** Absent when the URI names a device and no session. */
  readonly sessionId?: string;
  readonly transport: string;
  /** URI parameters after the transport, as written. */
  readonly parameters: readonly string[];
}

// RFC 4975 section 9: msrp-scheme "://" authority ["/" session-id] ";" transport *( ";" URI-parameter ).
// The session-id takes every path character but ";", because peers exceed the grammar here and nothing depends on it.
const uriPattern =
  /^(msrps?):\/\/(?:([^@/\s]*)@)?(\[[0-9a-f:.]+\]|[a-z0-9\-._~%!$&'()*+,=]+)(?::(\d{1,5}))?(?:\/([a-z0-9\-._~+=/%:@!$&'()*,]+))?;([a-z0-9]+)((?:;[^;\s]+)*)$/i;

/**
 * @param offset where `text` begins in the whole input, for the error.
 * @throws ProtocolError `malformed`.
 */
export function parseMsrpUri(text: string, field = 'uri', offset = 0): MsrpUri {
  const [, scheme, userInfo, host, portText, sessionId, transport, parameters] = uriPattern.exec(text) ?? [];
  const port = portText === undefined ? undefined : Number(portText);
  if (scheme === undefined || host === undefined || transport === undefined || (port !== undefined && port > 65535)) {
    throw malformedMsrp(field, offset, 'not an MSRP URI', 'msrp://host:port/session;tcp');
  }
  return {
    scheme: scheme.toLowerCase() === 'msrps' ? 'msrps' : 'msrp',
    ...(userInfo === undefined ? {} : { userInfo }),
    host,
    ...(port === undefined ? {} : { port }),
    ...(sessionId === undefined ? {} : { sessionId }),
    transport,
    parameters: (parameters ?? '').split(';').slice(1),
  };
}

export function formatMsrpUri(uri: MsrpUri): string {
  const user = uri.userInfo === undefined ? '' : `${uri.userInfo}@`;
  const port = uri.port === undefined ? '' : `:${uri.port}`;
  const session = uri.sessionId === undefined ? '' : `/${uri.sessionId}`;
  return `${uri.scheme}://${user}${uri.host}${port}${session}${[';' + uri.transport, ...uri.parameters].join(';')}`;
}

/** One spelling per host: lower case, escapes of ordinary characters undone, one form per IP address. */
function canonicalHost(host: string): string {
  try {
    return new URL(`http://${host}`).hostname;
  } catch {
    return host.toLowerCase();
  }
}

/** RFC 4975 section 6.1. */
export function sameMsrpUri(a: MsrpUri, b: MsrpUri): boolean {
  return a.scheme === b.scheme && sameMsrpSession(a, b);
}

/**
 * RFC 4975 section 6.1 without its first rule. Profile 2.4: a middlebox may carry `msrps` paths over plain TCP and
 * the other way round, so the scheme of a path decides nothing.
 */
export function sameMsrpSession(a: MsrpUri, b: MsrpUri): boolean {
  return (
    canonicalHost(a.host) === canonicalHost(b.host) &&
    a.port === b.port &&
    a.sessionId === b.sessionId &&
    a.transport.toLowerCase() === b.transport.toLowerCase()
  );
}

import { ProtocolError } from '../../base/errors.ts';
import type { SipMessage } from './message.ts';

/** `;name=value` parameters, names in lower case; a parameter without value is `undefined` under its name. */
export type SipParameters = Map<string, string | undefined>;

export interface SipNameAddress {
  readonly displayName: string | undefined;
  /** The address without angle brackets. */
  readonly uri: string;
  /** Header parameters, outside the brackets (`tag`, `expires`, `q`). */
  readonly parameters: SipParameters;
}

export interface SipVia {
  /** `TLS`, `TCP`, `UDP`, `WS`, `WSS`, in upper case. */
  readonly transport: string;
  readonly host: string;
  readonly port: number | undefined;
  readonly parameters: SipParameters;
}

export interface SipUri {
  /** Lower case: `sip`, `sips`. */
  readonly scheme: string;
  readonly user: string | undefined;
  /** Lower case. */
  readonly host: string;
  readonly port: number | undefined;
  readonly parameters: SipParameters;
}

/** Splits at `separator` outside quoted strings and angle brackets; empty elements are dropped. */
export function splitOutsideQuotes(value: string, separator: string): string[] {
  // Most values have neither.
  return trimmed(/["<]/.test(value) ? splitCarefully(value, separator) : value.split(separator));
}

const trimmed = (parts: readonly string[]): string[] => parts.map((text) => text.trim()).filter((text) => text !== '');

function splitCarefully(value: string, separator: string): string[] {
  const parts: string[] = [];
  let start = 0;
  let quoted = false;
  let bracketed = false;
  for (let at = 0; at < value.length; at++) {
    const character = value[at];
    if (quoted && character === '\\') {
      at++;
      continue;
    }
    if (character === '"') quoted = !quoted;
    else if (!quoted && character === '<') bracketed = true;
    else if (!quoted && character === '>') bracketed = false;
    else if (character === separator && !quoted && !bracketed) {
      parts.push(value.slice(start, at));
      start = at + 1;
    }
  }
  parts.push(value.slice(start));
  return parts;
}

/** The elements of a comma-separated header value. */
export function splitHeaderList(value: string): string[] {
  return splitOutsideQuotes(value, ',');
}

/** The elements of all headers of that name, comma-joined or repeated, in order. */
export function headerList(message: SipMessage, name: string): string[] {
  return message.headers.getAll(name).flatMap(splitHeaderList);
}

/** Parses the parameters of `text`, which starts at the first semicolon or is empty. Quoted values are unquoted. */
export function parseParameters(text: string): SipParameters {
  const parameters: SipParameters = new Map();
  for (const part of splitOutsideQuotes(text, ';')) {
    const equals = part.indexOf('=');
    const name = (equals < 0 ? part : part.slice(0, equals)).trim().toLowerCase();
    if (!parameters.has(name)) parameters.set(name, equals < 0 ? undefined : unquote(part.slice(equals + 1).trim()));
  }
  return parameters;
}

export function formatParameters(parameters: SipParameters): string {
  return [...parameters]
    .map(([name, value]) => (value === undefined ? `;${name}` : `;${name}=${quoteIfNeeded(value)}`))
    .join('');
}

/**
 * From, To, Contact, Route, Record-Route, P-Asserted-Identity (RFC 3261 20.10). Without brackets, parameters belong to the header.
 * @throws ProtocolError `malformed`, hint sip 400.
 */
export function parseNameAddress(value: string, field = 'sip.address'): SipNameAddress {
  // White space belongs to the name here: left between the two it would be tried from each of its places.
  const bracketed = /^("(?:[^"\\]|\\.)*"\s*|[^<"]*)<([^<>]*)>\s*((?:;.*)?)$/s.exec(value.trim());
  if (bracketed !== null) {
    const [, spaced = '', uri = '', parameters = ''] = bracketed;
    const name = spaced.trim();
    requireUri(uri.trim(), field);
    return {
      displayName: name === '' ? undefined : unquote(name),
      uri: uri.trim(),
      parameters: parseParameters(parameters),
    };
  }
  const semicolon = value.indexOf(';');
  const uri = (semicolon < 0 ? value : value.slice(0, semicolon)).trim();
  requireUri(uri, field);
  return { displayName: undefined, uri, parameters: parseParameters(semicolon < 0 ? '' : value.slice(semicolon)) };
}

export function formatNameAddress(address: SipNameAddress): string {
  const name = address.displayName === undefined ? '' : `"${escapeQuotes(address.displayName)}" `;
  return `${name}<${address.uri}>${formatParameters(address.parameters)}`;
}

/** @throws ProtocolError `malformed`, hint sip 400. */
export function parseVia(value: string): SipVia {
  const match =
    /^SIP\s*\/\s*2\.0\s*\/\s*([A-Za-z]+)\s+(\[[0-9A-Fa-f:.]+\]|[^\s;:,]+)(?:\s*:\s*([0-9]{1,5}))?\s*(;.*)?$/is.exec(
      value,
    );
  if (match === null) throw malformed('sip.Via', 'SIP/2.0/TRANSPORT host:port;parameters');
  const [, transport = '', host = '', port, parameters = ''] = match;
  return {
    transport: transport.toUpperCase(),
    host,
    port: port === undefined ? undefined : Number(port),
    parameters: parseParameters(parameters),
  };
}

export function formatVia(via: SipVia): string {
  const port = via.port === undefined ? '' : `:${via.port}`;
  return `SIP/2.0/${via.transport} ${via.host}${port}${formatParameters(via.parameters)}`;
}

/** @throws ProtocolError `malformed`, hint sip 400. */
export function parseCSeq(value: string): { readonly number: number; readonly method: string } {
  const match = /^([0-9]{1,10})\s+(\S+)$/.exec(value.trim());
  const number = Number(match?.[1]);
  // RFC 3261 8.1.1.5: the sequence number is below 2^31.
  if (match === null || number >= 2 ** 31) throw malformed('sip.CSeq', 'a number below 2^31 and a method');
  return { number, method: match[2] ?? '' };
}

/**
 * A sip: or sips: URI. The password, if any, is dropped; headers after `?` are dropped.
 * @throws ProtocolError `malformed`, hint sip 400 (416 for another scheme).
 */
export function parseSipUri(uri: string, field = 'sip.uri'): SipUri {
  const match =
    /^(sips?):(?:([^@\s<>]+)@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(?::([0-9]{1,5}))?((?:;[^?\s<>]*)?)(?:\?\S*)?$/i.exec(
      uri,
    );
  if (match === null) {
    throw malformed(field, 'sip:user@host', /^sips?:/i.test(uri) ? 400 : 416);
  }
  const [, scheme = '', userInfo, host = '', port, parameters = ''] = match;
  return {
    scheme: scheme.toLowerCase(),
    user: userInfo?.split(':', 1)[0],
    host: host.toLowerCase(),
    port: port === undefined ? undefined : Number(port),
    parameters: parseParameters(parameters),
  };
}

export function formatSipUri(uri: SipUri): string {
  const user = uri.user === undefined ? '' : `${uri.user}@`;
  const port = uri.port === undefined ? '' : `:${uri.port}`;
  return `${uri.scheme}:${user}${uri.host}${port}${formatParameters(uri.parameters)}`;
}

const mandatoryHeaders = ['Via', 'From', 'To', 'Call-ID', 'CSeq'] as const;
/** RFC 3261 clause 7.3.1: what is no list may stand in a message once. */
const singleHeaders = ['From', 'To', 'Call-ID', 'CSeq', 'Max-Forwards', 'Content-Type'] as const;

/**
 * Checks what every request and response must carry in readable form (RFC 3261 8.1.1).
 * @throws ProtocolError `malformed`, hint sip 400.
 */
export function checkMandatoryHeaders(message: SipMessage): void {
  for (const name of mandatoryHeaders) {
    if (!message.headers.has(name)) throw malformed(`sip.${name}`, 'a value');
  }
  for (const name of singleHeaders) {
    if (message.headers.getAll(name).length > 1) throw malformed(`sip.${name}`, 'one value');
  }
  for (const via of headerList(message, 'Via')) parseVia(via);
  for (const name of ['From', 'To'] as const) parseNameAddress(message.headers.get(name) ?? '', `sip.${name}`);
  const { method } = parseCSeq(message.headers.get('CSeq') ?? '');
  if (message.start.kind === 'request' && method !== message.start.method) {
    throw malformed('sip.CSeq', 'the method of the request line');
  }
}

function requireUri(uri: string, field: string): void {
  if (!/^[A-Za-z][A-Za-z0-9+.-]*:\S+$/.test(uri) || /[<>"]/.test(uri)) throw malformed(field, 'a URI');
}

function unquote(text: string): string {
  return /^".*"$/s.test(text) ? text.slice(1, -1).replace(/\\(.)/gs, '$1') : text;
}

function quoteIfNeeded(value: string): string {
  return /^[A-Za-z0-9\-.!%*_+`'~:[\]/$&@]+$/.test(value) ? value : `"${escapeQuotes(value)}"`;
}

function escapeQuotes(text: string): string {
  return text.replace(/["\\]/g, '\\$&');
}

function malformed(field: string, expected: string, sip = 400): ProtocolError {
  return new ProtocolError('malformed', 'not in the form of RFC 3261', { field, expected, hint: { sip } });
}

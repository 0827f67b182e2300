import { fromUtf8 } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { decodeMimeEntity, headerValue } from '../mime-entity.ts';
import { cpimLimits, cpimNamespaces, type CpimAddress, type CpimHeader, type CpimMessage } from './cpim-message.ts';
import { parseAddress, unescapeValue } from './header-value.ts';

/** One header line as it stands, its name resolved. */
interface RawHeader {
  readonly offset: number;
  readonly namespace: string;
  readonly name: string;
  readonly parameters?: string;
  readonly raw: string;
}

interface Fields {
  from?: CpimAddress;
  to: CpimAddress[];
  cc?: CpimAddress[];
  dateTime?: number;
  subject?: string;
  messageId?: string;
  dispositions: string[];
  originalTo?: CpimAddress;
  recordRoute?: CpimAddress[];
  route?: CpimAddress[];
  otherHeaders: CpimHeader[];
}

// RFC 3339 5.6.
const dateTimePattern = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/i;
const linePattern = /^((?:([^.:\s]+)\.)?([^.:\s]+)):(?:;([^ ]*))? ?(.*)$/su;

/**
 * Reads a `message/cpim` body. Line ends of LF alone are accepted; unknown headers are kept.
 * @throws ProtocolError `malformed` (hint SIP 400); `unsupported` (hint SIP 415) when `Require` names a header that is not
 *   understood here (RFC 3862 4.7)
 */
export function decodeCpim(bytes: Uint8Array): CpimMessage {
  if (bytes.length > cpimLimits.maxOctets) {
    fail('too large', 'cpim', cpimLimits.maxOctets, `at most ${cpimLimits.maxOctets} octets`);
  }
  const fields: Fields = { to: [], dispositions: [], otherHeaders: [] };
  const { headers, namespaces, contentOffset } = readHeaders(bytes);
  for (const header of headers) interpret(header, fields, namespaces);
  const content = decodeMimeEntity(bytes.subarray(contentOffset), 'cpim.content', contentOffset);
  if (headerValue(content.headers, 'Content-Type') === undefined) {
    fail('no Content-Type', 'cpim.content', contentOffset, 'a Content-Type (RFC 3862 2.4)');
  }
  return { ...fields, content };
}

function readHeaders(bytes: Uint8Array): {
  readonly headers: readonly RawHeader[];
  readonly namespaces: ReadonlyMap<string, string>;
  readonly contentOffset: number;
} {
  const headers: RawHeader[] = [];
  const namespaces = new Map<string, string>([
    ['', cpimNamespaces.core],
    // Declared by some senders only in spirit.
    ['imdn', cpimNamespaces.imdn],
  ]);
  for (let offset = 0; ;) {
    const end = bytes.indexOf(0x0a, offset);
    if (end < 0) fail('cut off', 'cpim.headers', bytes.length, 'an empty line after the headers');
    if (end > cpimLimits.maxHeaderOctets || headers.length === cpimLimits.maxHeaders) {
      fail('too many or too long headers', 'cpim.headers', offset, `${cpimLimits.maxHeaders} headers`);
    }
    const line = fromUtf8(bytes.subarray(offset, end), 'cpim.headers').replace(/\r$/, '');
    if (line === '') return { headers, namespaces, contentOffset: end + 1 };
    const header = readHeader(line, offset, namespaces);
    if (header.namespace === cpimNamespaces.core && header.name === 'NS') declareNamespace(header, namespaces);
    else headers.push(header);
    offset = end + 1;
  }
}

function readHeader(line: string, offset: number, namespaces: ReadonlyMap<string, string>): RawHeader {
  const match = /\p{Cc}/u.test(line) ? null : linePattern.exec(line);
  const [, , prefix = '', name, parameters, raw = ''] = match ?? [];
  if (name === undefined) return fail('not a header', 'cpim.headers', offset, 'Name: value');
  const namespace = namespaces.get(prefix);
  if (namespace === undefined) {
    return fail('prefix not declared', 'cpim.headers', offset, 'an NS header before (RFC 3862 3.4)');
  }
  return { offset, namespace, name, raw, ...(parameters === undefined ? {} : { parameters }) };
}

/** NS: [prefix] <URI> (RFC 3862 4.6). */
function declareNamespace({ raw, offset }: RawHeader, namespaces: Map<string, string>): void {
  const [, prefix = '', uri] = /^(?:([^.:\s<>]+)[ \t]+)?<([^<>\s]+)>$/.exec(raw) ?? [];
  if (uri === undefined) fail('not a namespace', 'cpim.NS', offset, 'NS: prefix <URI>');
  namespaces.set(prefix, uri);
}

function interpret(header: RawHeader, fields: Fields, namespaces: ReadonlyMap<string, string>): void {
  const value = unescapeValue(header.raw);
  switch (`${header.namespace} ${header.name}`) {
    case `${cpimNamespaces.core} From`:
      once(fields.from, header);
      fields.from = addressOf(header);
      break;
    case `${cpimNamespaces.core} To`:
      fields.to.push(addressOf(header));
      break;
    case `${cpimNamespaces.core} cc`:
      fields.cc = [...(fields.cc ?? []), addressOf(header)];
      break;
    case `${cpimNamespaces.core} DateTime`:
      once(fields.dateTime, header);
      fields.dateTime = dateTimeOf(header);
      break;
    case `${cpimNamespaces.core} Subject`:
      // More than one is legal: one per language (RFC 3862 4.5).
      fields.subject ??= value;
      break;
    case `${cpimNamespaces.core} Require`:
      refuseUnknown(value, header.offset, namespaces);
      break;
    case `${cpimNamespaces.imdn} Message-ID`:
      once(fields.messageId, header);
      fields.messageId = value;
      break;
    case `${cpimNamespaces.imdn} Disposition-Notification`:
      fields.dispositions.push(...value.split(',').map((item) => item.trim()));
      break;
    case `${cpimNamespaces.imdn} Original-To`:
      once(fields.originalTo, header);
      fields.originalTo = addressOf(header);
      break;
    case `${cpimNamespaces.imdn} IMDN-Record-Route`:
      fields.recordRoute = [...(fields.recordRoute ?? []), addressOf(header)];
      break;
    case `${cpimNamespaces.imdn} IMDN-Route`:
      fields.route = [...(fields.route ?? []), addressOf(header)];
      break;
    default: {
      const { namespace, name, parameters } = header;
      fields.otherHeaders.push({ namespace, name, value, ...(parameters === undefined ? {} : { parameters }) });
    }
  }
}

const understood = {
  [cpimNamespaces.core]: ['From', 'To', 'cc', 'DateTime', 'Subject', 'NS', 'Require'],
  [cpimNamespaces.imdn]: ['Message-ID', 'Disposition-Notification', 'Original-To', 'IMDN-Record-Route', 'IMDN-Route'],
} as const;

/** RFC 3862 4.7: names as they stand in the headers, with the prefixes that this message declares. */
function refuseUnknown(names: string, offset: number, namespaces: ReadonlyMap<string, string>): void {
  const isUnderstood = (name: string): boolean => {
    const [, prefix = '', local = ''] = /^(?:([^.]+)\.)?([^.]+)$/.exec(name.trim()) ?? [];
    const known: Readonly<Record<string, readonly string[]>> = understood;
    return known[namespaces.get(prefix) ?? '']?.includes(local) === true;
  };
  if (names.split(',').every(isUnderstood)) return;
  throw new ProtocolError('unsupported', 'names a header that is not understood', {
    field: 'cpim.Require',
    offset,
    hint: { sip: 415 },
  });
}

function addressOf({ raw, name, offset }: RawHeader): CpimAddress {
  return parseAddress(raw) ?? fail('not an address', `cpim.${name}`, offset, '[name] <URI>');
}

function dateTimeOf({ raw, offset }: RawHeader): number {
  const time = dateTimePattern.test(raw) ? Date.parse(raw) : NaN;
  return Number.isNaN(time) ? fail('not a time', 'cpim.DateTime', offset, 'an RFC 3339 time') : time;
}

/** Two values of a header that must be unique would let two readers see two senders. */
function once(present: unknown, { name, offset }: RawHeader): void {
  if (present !== undefined) fail('given twice', `cpim.${name}`, offset, 'one header');
}

function fail(problem: string, field: string, offset: number, expected: string): never {
  throw new ProtocolError('malformed', problem, { field, offset, expected, hint: { sip: 400 } });
}

import { concatBytes, fromUtf8, utf8 } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { comparableHeaderName } from './header-names.ts';
import { readLines, type SipLine } from './lines.ts';

export interface SipLimits {
  /** Octets of start line and headers with the empty line that ends them. */
  readonly headerOctets: number;
  readonly headerFields: number;
  readonly bodyOctets: number;
}

export const defaultSipLimits: SipLimits = { headerOctets: 64 * 1024, headerFields: 256, bodyOctets: 1024 * 1024 };

export interface SipRequestLine {
  readonly kind: 'request';
  readonly method: string;
  readonly uri: string;
}

export interface SipStatusLine {
  readonly kind: 'response';
  /** 100 to 699. */
  readonly status: number;
  readonly reason: string;
}

export type SipStartLine = SipRequestLine | SipStatusLine;

const token = /^[A-Za-z0-9\-.!%*_+`'~]+$/;
// Tab is the one control character that text may hold. Line ends in a value would start a header of the sender's choice.
// eslint-disable-next-line no-control-regex
const forbiddenInText = /[\u0000-\u0008\u000a-\u001f\u007f]/;
// RFC 3261 clause 25.1: a quoted-pair may hold every one of them but line ends.
// eslint-disable-next-line no-control-regex
const headerValue = /^(?:[^\\\u0000-\u0008\u000a-\u001f\u007f]|\\(?:[^\r\n]|$))*$/;

interface HeaderField {
  readonly name: string;
  readonly value: string;
  /** Worked out once: fields are looked for far more often than they are made. */
  readonly comparable: string;
}

/** Header fields in wire order. Names match without case and in compact form; values carry no line ends. */
export class SipHeaders {
  #fields: HeaderField[] = [];

  /** Every field in order, one entry per line, names as they were written. */
  get fields(): readonly Pick<HeaderField, 'name' | 'value'>[] {
    return this.#fields.map(({ name, value }) => ({ name, value }));
  }

  /** The first value of that name; lists joined by commas are not split (see `splitHeaderList`). */
  get(name: string): string | undefined {
    return this.#fields.find(matches(name))?.value;
  }

  getAll(name: string): string[] {
    return this.#fields.filter(matches(name)).map((field) => field.value);
  }

  has(name: string): boolean {
    return this.#fields.some(matches(name));
  }

  /** Replaces the first field of that name where it stands and removes the others; appends when there is none. */
  set(name: string, value: string): this {
    const at = this.#fields.findIndex(matches(name));
    if (at < 0) return this.add(name, value);
    const field = checkedField(name, value);
    this.#fields = this.#fields.filter((other, index) => index === at || !matches(name)(other));
    this.#fields[at] = field;
    return this;
  }

  /** Appends. */
  add(name: string, value: string): this {
    this.#fields.push(checkedField(name, value));
    return this;
  }

  /** Puts the field before the first of that name, or before all when there is none (Via, Record-Route). */
  prepend(name: string, value: string): this {
    const at = this.#fields.findIndex(matches(name));
    this.#fields.splice(Math.max(at, 0), 0, checkedField(name, value));
    return this;
  }

  /** Removes every field of that name. */
  remove(name: string): this {
    const matching = matches(name);
    this.#fields = this.#fields.filter((field) => !matching(field));
    return this;
  }

  /** Removes and returns the first value of that name. */
  shift(name: string): string | undefined {
    const at = this.#fields.findIndex(matches(name));
    return at < 0 ? undefined : this.#fields.splice(at, 1)[0]?.value;
  }

  clone(): SipHeaders {
    const copy = new SipHeaders();
    copy.#fields = [...this.#fields];
    return copy;
  }
}

/** One SIP request or response (RFC 3261 7). The body is octets; its length is written by `serialiseSipMessage`. */
export class SipMessage {
  start: SipStartLine;
  readonly headers: SipHeaders;
  body: Uint8Array;

  constructor(start: SipStartLine, headers = new SipHeaders(), body: Uint8Array = new Uint8Array()) {
    this.start = start;
    this.headers = headers;
    this.body = body;
  }

  static request(method: string, uri: string): SipMessage {
    return new SipMessage({ kind: 'request', method, uri });
  }

  static response(status: number, reason: string): SipMessage {
    return new SipMessage({ kind: 'response', status, reason });
  }

  /** The method of a request, undefined for a response. */
  get method(): string | undefined {
    return this.start.kind === 'request' ? this.start.method : undefined;
  }

  /** The status of a response, undefined for a request. */
  get status(): number | undefined {
    return this.start.kind === 'response' ? this.start.status : undefined;
  }

  /** A copy whose headers can be changed apart; the body octets are shared. */
  clone(): SipMessage {
    return new SipMessage(this.start, this.headers.clone(), this.body);
  }
}

/**
 * Parses one whole message. Folded lines are unfolded; octets beyond Content-Length are dropped (RFC 3261 18.3).
 * @throws ProtocolError `malformed` with the octet offset, hint sip 400 (413 for a limit, 505 for another SIP version).
 */
export function parseSipMessage(bytes: Uint8Array, limits: SipLimits = defaultSipLimits): SipMessage {
  const { lines, bodyOffset } = readLines(bytes, limits.headerOctets);
  const [first, ...rest] = lines;
  if (first === undefined) throw malformed('sip.startLine', 'missing', 0, 'a request or status line');
  if (rest.length > limits.headerFields) {
    throw malformed('sip.headers', 'too many header fields', rest[limits.headerFields]?.offset ?? 0, 'fewer', 413);
  }
  const headers = new SipHeaders();
  for (const line of rest) addHeaderLine(headers, line);
  const available = bytes.length - bodyOffset;
  const length = readContentLength(headers) ?? available;
  if (length > limits.bodyOctets) {
    throw malformed('sip.body', 'too long', bodyOffset, `at most ${limits.bodyOctets} octets`, 413);
  }
  if (length > available) {
    throw malformed('sip.body', 'shorter than Content-Length', bytes.length, `${length} octets`);
  }
  return new SipMessage(parseStartLine(first), headers, bytes.slice(bodyOffset, bodyOffset + length));
}

/** The headers that every response copies from its request (RFC 3261 8.2.6.2), apart from the tag of To. */
export const copiedHeaders: readonly string[] = ['Via', 'From', 'To', 'Call-ID', 'CSeq'];

/**
 * What of a request that cannot be parsed tells whom to answer.
 * Undefined when one of the copied headers is missing, and for what is a response or needs no answer.
 */
export function answerableHeaders(bytes: Uint8Array, limits: SipLimits = defaultSipLimits): SipHeaders | undefined {
  const headers = new SipHeaders();
  try {
    const [first, ...rest] = readLines(bytes, limits.headerOctets).lines;
    if (first === undefined || /^(SIP\/|ACK )/i.test(lineText(first))) return undefined;
    for (const line of rest.slice(0, limits.headerFields)) addReadableLine(headers, line);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return undefined;
  }
  return copiedHeaders.every((name) => headers.has(name)) ? headers : undefined;
}

/** Writes the message with the Content-Length of its body, whatever the headers said. */
export function serialiseSipMessage(message: SipMessage): Uint8Array {
  const headers = message.headers.clone().set('Content-Length', String(message.body.length));
  const lines = [formatStartLine(message.start), ...headers.fields.map(({ name, value }) => `${name}: ${value}`)];
  return concatBytes(utf8(`${lines.join('\r\n')}\r\n\r\n`), message.body);
}

/** @throws ProtocolError when the header is no number, or two of them disagree. */
export function readContentLength(headers: SipHeaders): number | undefined {
  const [text, ...others] = headers.getAll('Content-Length');
  if (text === undefined) return undefined;
  if (!/^[0-9]{1,9}$/.test(text) || others.some((other) => other !== text)) {
    throw malformed('sip.Content-Length', 'not one number', undefined, 'a decimal number of octets');
  }
  return Number(text);
}

function addHeaderLine(headers: SipHeaders, line: SipLine): void {
  const text = lineText(line);
  const colon = text.indexOf(':');
  const name = text.slice(0, Math.max(colon, 0)).trimEnd();
  if (!token.test(name)) throw malformed('sip.header', 'no header name', line.offset, 'token, colon, value');
  const value = text.slice(colon + 1).trim();
  if (!headerValue.test(value)) {
    throw malformed('sip.header', 'control character in value', line.offset, 'printable text');
  }
  headers.add(name, value);
}

function addReadableLine(headers: SipHeaders, line: SipLine): void {
  try {
    addHeaderLine(headers, line);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
  }
}

function parseStartLine(line: SipLine): SipStartLine {
  const text = lineText(line);
  const status = /^SIP\/2\.0 ([1-6][0-9]{2}) (.*)$/i.exec(text);
  if (status !== null && !forbiddenInText.test(text)) {
    return { kind: 'response', status: Number(status[1]), reason: status[2] ?? '' };
  }
  const request = /^(\S+) (\S+) (SIP\/[0-9]+\.[0-9]+)$/i.exec(text);
  const [, method = '', uri = '', version = ''] = request ?? [];
  if (!token.test(method) || !/^[A-Za-z][A-Za-z0-9+.-]*:/.test(uri) || forbiddenInText.test(uri)) {
    throw malformed('sip.startLine', 'neither request nor status line', line.offset, 'METHOD URI SIP/2.0');
  }
  if (version.toUpperCase() !== 'SIP/2.0') {
    throw malformed('sip.version', 'another SIP version', line.offset, 'SIP/2.0', 505);
  }
  return { kind: 'request', method, uri };
}

function formatStartLine(start: SipStartLine): string {
  const line =
    start.kind === 'request'
      ? `${start.method} ${start.uri} SIP/2.0`
      : `SIP/2.0 ${start.status} ${start.reason.trimEnd()}`;
  if (forbiddenInText.test(line)) {
    throw new ProtocolError('local', 'control character', { field: 'sip.startLine', expected: 'printable text' });
  }
  return line;
}

function checkedField(name: string, value: string): HeaderField {
  if (!token.test(name) || !headerValue.test(value)) {
    throw new ProtocolError('local', 'not a header field', {
      field: 'sip.header',
      expected: 'token and printable text',
    });
  }
  return { name, value, comparable: comparableHeaderName(name) };
}

function matches(name: string): (field: HeaderField) => boolean {
  const wanted = comparableHeaderName(name);
  return ({ comparable }) => comparable === wanted;
}

function lineText(line: SipLine): string {
  try {
    return fromUtf8(line.bytes, 'sip.header');
  } catch {
    throw malformed('sip.header', 'not UTF-8', line.offset, 'UTF-8 text');
  }
}

function malformed(
  field: string,
  problem: string,
  offset: number | undefined,
  expected: string,
  sip = 400,
): ProtocolError {
  const at = offset === undefined ? {} : { offset };
  return new ProtocolError('malformed', problem, { field, expected, hint: { sip }, ...at });
}

import { parseByteRange } from './byte-range.ts';
import type { MsrpHead, MsrpHeader, MsrpHeaders, ReportStatus } from './head.ts';
import type { MsrpLine } from './line-reader.ts';
import { malformedMsrp } from './msrp-error.ts';
import { parseMsrpUri } from './uri.ts';

/** RFC 4975 section 9: ident = ALPHANUM 3*31ident-char. */
const identPattern = /^[A-Za-z0-9][A-Za-z0-9.\-+%=]{3,31}$/;

/** One URI per relay on the way; more than this is nobody's network. */
const maxPathUris = 16;

export function isMsrpIdent(text: string): boolean {
  return identPattern.test(text);
}

type MutableHeaders = { -readonly [Name in keyof MsrpHeaders]?: MsrpHeaders[Name] };

/** Reads the start line and the header lines of one frame. Every failure is `malformed`, with field and stream offset. */
export class HeadParser {
  readonly transactionId: string;
  /** Absent for a response. */
  readonly method: string | undefined;
  readonly #startOffset: number;
  readonly #status: number = 0;
  readonly #comment: string | undefined;
  readonly #other: MsrpHeader[] = [];
  readonly #headers: MutableHeaders = { other: this.#other };
  readonly #paths: PathReader;

  /** @param onTransactionId told the id of what is no response, even when the rest of the start line is broken. */
  constructor(line: MsrpLine, paths: PathReader, onTransactionId: (id: string) => void) {
    this.#paths = paths;
    this.#startOffset = line.offset;
    const fail = (problem: string, expected: string): never => {
      throw malformedMsrp('startLine', line.offset, problem, expected);
    };
    const [, id = '', rest = ''] = /^MSRP ([^ ]*) (.*)$/.exec(line.text) ?? [];
    if (!isMsrpIdent(id)) fail('no transaction id', 'MSRP, a space, an id of 4 to 32 characters');
    if (!/^\d/.test(rest)) onTransactionId(id);
    this.transactionId = id;
    const [, status, comment] = /^(\d{3})(?: (.*))?$/.exec(rest) ?? [];
    if (status !== undefined) {
      this.#status = Number(status);
      this.#comment = comment;
    } else if (/^[A-Z]{1,32}$/.test(rest)) {
      this.method = rest;
    } else {
      fail('neither method nor status code', 'a method in capitals or three digits');
    }
  }

  /** RFC 4975 sections 7.1.2 and 7.1.4: never a response, a REPORT, or a request that asked not to be. */
  get mayBeAnswered(): boolean {
    return this.method !== undefined && this.method !== 'REPORT' && this.#headers.failureReport !== 'no';
  }

  addHeader(line: MsrpLine): void {
    const { text } = line;
    const colon = text.indexOf(':');
    const name = text.slice(0, Math.max(0, colon));
    const value = text.slice(colon + 1).trim();
    const read = knownHeaders[name] ?? knownHeaders[name.toLowerCase()];
    if (read === undefined) {
      if (!/^[A-Za-z][!#-'*+\-.0-9A-Z^-~]*$/.test(name)) {
        throw malformedMsrp('header', line.offset, 'not a header field', 'name, colon, space, value');
      }
      this.#other.push({ name, value });
      return;
    }
    if (!read(this.#headers, value, line.offset + name.length + 1, this.#paths)) {
      throw malformedMsrp(name, line.offset, 'given twice', 'one such field');
    }
  }

  finish(): MsrpHead {
    const headers = this.#headers;
    if (!isComplete(headers)) {
      const missing = headers.toPath === undefined ? 'To-Path' : 'From-Path';
      throw malformedMsrp(missing, this.#startOffset, 'missing', 'To-Path and From-Path in every frame');
    }
    const { transactionId, method } = this;
    if (method !== undefined) return { kind: 'request', transactionId, method, headers };
    return { kind: 'response', transactionId, status: this.#status, comment: this.#comment, headers };
  }
}

function isComplete(headers: MutableHeaders): headers is MutableHeaders & MsrpHeaders {
  return headers.toPath !== undefined && headers.fromPath !== undefined;
}

/** Reads one known header field into `headers`; false when it was there before. */
type KnownHeader = (headers: MutableHeaders, value: string, offset: number, paths: PathReader) => boolean;

function known<Key extends keyof MsrpHeaders>(
  key: Key,
  read: (value: string, offset: number, paths: PathReader) => NonNullable<MsrpHeaders[Key]>,
): KnownHeader {
  return (headers, value, offset, paths) => {
    if (headers[key] !== undefined) return false;
    headers[key] = read(value, offset, paths);
    return true;
  };
}

const canonicalHeaders: Readonly<Record<string, KnownHeader>> = {
  'To-Path': known('toPath', (value, offset, paths) => paths.read(value, 'To-Path', offset)),
  'From-Path': known('fromPath', (value, offset, paths) => paths.read(value, 'From-Path', offset)),
  'Message-ID': known('messageId', (value, offset) => readIdent(value, 'Message-ID', offset)),
  'Byte-Range': known('byteRange', parseByteRange),
  'Success-Report': known('successReport', (value, offset) =>
    readChoice(value, ['yes', 'no'], 'Success-Report', offset),
  ),
  'Failure-Report': known('failureReport', (value, offset) =>
    readChoice(value, ['yes', 'no', 'partial'], 'Failure-Report', offset),
  ),
  Status: known('status', readStatus),
  'Content-Type': known('contentType', (value, offset) => {
    if (/^[^/\s;]+\/[^/\s;]+/.test(value)) return value;
    throw malformedMsrp('Content-Type', offset, 'not a media type', 'type/subtype');
  }),
};

/** Under the spelling of RFC 4975 and in small letters, as names are compared without regard to case. */
const knownHeaders: Readonly<Record<string, KnownHeader | undefined>> = {
  __proto__: null as never,
  ...canonicalHeaders,
  ...Object.fromEntries(Object.entries(canonicalHeaders).map(([name, read]) => [name.toLowerCase(), read])),
};

/** Reads To-Path and From-Path. On one connection these hardly ever change, so the last good ones are remembered. */
export class PathReader {
  readonly #seen = new Map<string, readonly string[]>();

  read(value: string, field: string, offset: number): readonly string[] {
    const seen = this.#seen.get(value);
    if (seen !== undefined) return seen;
    const uris = value.split(/[ \t]+/);
    if (uris.length > maxPathUris) throw malformedMsrp(field, offset, 'too many URIs', `at most ${maxPathUris}`);
    for (const uri of uris) parseMsrpUri(uri, field, offset);
    if (this.#seen.size >= 8) this.#seen.clear();
    this.#seen.set(value, uris);
    return uris;
  }
}

function readIdent(value: string, field: string, offset: number): string {
  if (isMsrpIdent(value)) return value;
  throw malformedMsrp(field, offset, 'not an identifier', '4 to 32 letters, digits, . - + % =');
}

function readChoice<Choice extends string>(
  value: string,
  choices: readonly Choice[],
  field: string,
  offset: number,
): Choice {
  const choice = choices.find((candidate) => candidate === value.toLowerCase());
  if (choice === undefined) throw malformedMsrp(field, offset, 'unknown value', choices.join(' or '));
  return choice;
}

function readStatus(value: string, offset: number): ReportStatus {
  const [, namespace, code, comment] = /^(\d{3}) (\d{3})(?: (.*))?$/.exec(value) ?? [];
  if (namespace === undefined || code === undefined) {
    throw malformedMsrp('Status', offset, 'not a status', 'namespace, space, three-digit code');
  }
  return { namespace, code: Number(code), ...(comment === undefined ? {} : { comment }) };
}

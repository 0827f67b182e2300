import { fromUtf8 } from '../../base/bytes.ts';
import { parseByteRange, type ByteRange } from './byte-range.ts';
import type { FailureReport, MsrpHead, MsrpHeader, MsrpHeaders, ReportStatus } from './head.ts';
import { malformedMsrp } from './msrp-error.ts';
import { parseMsrpUri } from './uri.ts';

/** RFC 4975 section 9: ident = ALPHANUM 3*31ident-char. */
const identPattern = /^[A-Za-z0-9][A-Za-z0-9.\-+%=]{3,31}$/;

/** One URI per relay on the way; more than this is nobody's network. */
const maxPathUris = 16;

export function isMsrpIdent(text: string): boolean {
  return identPattern.test(text);
}

/** A line without its CRLF and where it began in the stream. */
export interface MsrpLine {
  readonly bytes: Uint8Array;
  readonly offset: number;
}

type MutableHeaders = { -readonly [Name in keyof MsrpHeaders]?: MsrpHeaders[Name] };

/** Reads the start line and the header lines of one frame. Every failure is `malformed`, with field and stream offset. */
export class HeadParser {
  readonly transactionId: string;
  /** Absent for a response. */
  readonly method: string | undefined;
  readonly #startOffset: number;
  readonly #status: { status: number; comment?: string } | undefined;
  readonly #headers: MutableHeaders = {};
  readonly #other: MsrpHeader[] = [];

  /** @param onTransactionId told the id of what is no response, even when the rest of the start line is broken. */
  constructor(line: MsrpLine, onTransactionId: (id: string) => void) {
    const text = lineText(line, 'startLine');
    this.#startOffset = line.offset;
    const fail = (problem: string, expected: string): never => {
      throw malformedMsrp('startLine', line.offset, problem, expected);
    };
    const [, id = '', rest = ''] = /^MSRP ([^ ]*) (.*)$/.exec(text) ?? [];
    if (!isMsrpIdent(id)) fail('no transaction id', 'MSRP, a space, an id of 4 to 32 characters');
    if (!/^\d/.test(rest)) onTransactionId(id);
    this.transactionId = id;
    const [, status, comment] = /^(\d{3})(?: (.*))?$/.exec(rest) ?? [];
    if (status !== undefined) {
      this.#status = { status: Number(status), ...(comment === undefined ? {} : { comment }) };
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
    const text = lineText(line, 'header');
    const [, name, value] = /^([A-Za-z][!#-'*+\-.0-9A-Z^-~]*):[ \t]*(.*?)[ \t]*$/.exec(text) ?? [];
    if (name === undefined || value === undefined) {
      throw malformedMsrp('header', line.offset, 'not a header field', 'name, colon, space, value');
    }
    const read = knownHeaders[name.toLowerCase()];
    if (read === undefined) {
      this.#other.push({ name, value });
      return;
    }
    const { key, value: parsed } = read(value, line.offset + name.length + 1);
    if (this.#headers[key] !== undefined) throw malformedMsrp(name, line.offset, 'given twice', 'one such field');
    Object.assign(this.#headers, { [key]: parsed });
  }

  finish(): MsrpHead {
    const { toPath, fromPath } = this.#headers;
    if (toPath === undefined || fromPath === undefined) {
      const missing = toPath === undefined ? 'To-Path' : 'From-Path';
      throw malformedMsrp(missing, this.#startOffset, 'missing', 'To-Path and From-Path in every frame');
    }
    const headers: MsrpHeaders = { ...this.#headers, toPath, fromPath, other: this.#other };
    const common = { transactionId: this.transactionId, headers };
    if (this.#status !== undefined) return { kind: 'response', ...this.#status, ...common };
    return { kind: 'request', method: this.method ?? '', ...common };
  }
}

type KnownHeader = (value: string, offset: number) => { key: keyof MsrpHeaders; value: unknown };

const knownHeaders: Readonly<Record<string, KnownHeader>> = {
  __proto__: null as never,
  'to-path': (value, offset) => ({ key: 'toPath', value: readPath(value, 'To-Path', offset) }),
  'from-path': (value, offset) => ({ key: 'fromPath', value: readPath(value, 'From-Path', offset) }),
  'message-id': (value, offset) => ({ key: 'messageId', value: readIdent(value, 'Message-ID', offset) }),
  'byte-range': (value, offset): { key: 'byteRange'; value: ByteRange } => ({
    key: 'byteRange',
    value: parseByteRange(value, offset),
  }),
  'success-report': (value, offset) => ({
    key: 'successReport',
    value: readChoice(value, ['yes', 'no'], 'Success-Report', offset),
  }),
  'failure-report': (value, offset): { key: 'failureReport'; value: FailureReport } => ({
    key: 'failureReport',
    value: readChoice(value, ['yes', 'no', 'partial'], 'Failure-Report', offset),
  }),
  status: (value, offset) => ({ key: 'status', value: readStatus(value, offset) }),
  'content-type': (value, offset) => {
    if (!/^[^/\s;]+\/[^/\s;]+/.test(value)) {
      throw malformedMsrp('Content-Type', offset, 'not a media type', 'type/subtype');
    }
    return { key: 'contentType', value };
  },
};

function readPath(value: string, field: string, offset: number): readonly string[] {
  const uris = value.split(/[ \t]+/);
  if (uris.length > maxPathUris) throw malformedMsrp(field, offset, 'too many URIs', `at most ${maxPathUris}`);
  for (const uri of uris) parseMsrpUri(uri, field, offset);
  return uris;
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

/** RFC 4975 section 9: utf8text has no control character but HTAB. */
function lineText(line: MsrpLine, field: string): string {
  const control = line.bytes.findIndex((octet) => (octet < 0x20 && octet !== 0x09) || octet === 0x7f);
  if (control >= 0) throw malformedMsrp(field, line.offset + control, 'control character', 'text ended by CRLF');
  try {
    return fromUtf8(line.bytes);
  } catch {
    throw malformedMsrp(field, line.offset, 'not UTF-8', 'UTF-8 text');
  }
}

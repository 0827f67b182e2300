import { concatBytes, utf8 } from '../../base/bytes.ts';
import { formatByteRange, type ByteRange } from './byte-range.ts';
import { containsEndLine } from './end-line.ts';
import { MsrpFramer, type MsrpFramerLimits } from './framer.ts';
import type { ContinuationFlag, MsrpHead, MsrpHeaders, MsrpRequestHead } from './head.ts';
import { hasControlCharacter, impossibleMsrp, malformedMsrp } from './msrp-error.ts';

/** One whole frame: a request with or without body, or a response. */
export interface MsrpFrame {
  readonly head: MsrpHead;
  /** Absent when there is none, which is not the same as an empty one (RFC 4975 section 7.1). */
  readonly body?: Uint8Array;
  readonly flag: ContinuationFlag;
}

/**
 * @throws ProtocolError `local` when a header would break its line, a body has no Content-Type or the other way round,
 * or the body contains the end-line of its own transaction.
 */
export function encodeFrame(frame: MsrpFrame): Uint8Array {
  if (frame.body !== undefined && containsEndLine(frame.body, frame.head.transactionId)) {
    throw impossibleMsrp('transactionId', 'the body contains its end-line', 'another transaction id');
  }
  const { head, body, flag } = frame;
  if ((body !== undefined) !== (head.headers.contentType !== undefined)) {
    throw impossibleMsrp('Content-Type', 'must be there exactly when a body is', 'both or none');
  }
  const endLine = `-------${head.transactionId}${flag}\r\n`;
  if (body === undefined) return utf8(headText(head) + endLine);
  return concatBytes(utf8(`${headText(head)}\r\n`), body, utf8(`\r\n${endLine}`));
}

/** Writes the chunks of one message: all that they have in common is put together once. */
export class ChunkEncoder {
  readonly #before: string;
  readonly #after: string;

  /** @param headers of every chunk, without Byte-Range. @throws ProtocolError `local` when one would break its line. */
  constructor(headers: MsrpHeaders & { readonly contentType: string }) {
    const { contentType, other, ...rest } = headers;
    this.#before = headerText({ ...rest, other: [] });
    this.#after = other.map(({ name, value }) => field(name, value)).join('') + field('Content-Type', contentType);
  }

  /** A SEND in pieces, the body as it is. The caller has searched it for the end-line. */
  encode(id: string, byteRange: ByteRange, body: Uint8Array, flag: ContinuationFlag): readonly Uint8Array[] {
    const endLine = `\r\n-------${id}${flag}\r\n`;
    const range = `Byte-Range: ${formatByteRange(byteRange)}\r\n`;
    const around = utf8(`MSRP ${id} SEND\r\n${this.#before}${range}${this.#after}\r\n${endLine}`);
    const bodyAt = around.length - endLine.length;
    return [around.subarray(0, bodyAt), body, around.subarray(bodyAt)];
  }
}

/** Decodes octets that hold whole frames and nothing else. @throws ProtocolError `malformed`. */
export function decodeFrames(bytes: Uint8Array, limits: Partial<MsrpFramerLimits> = {}): MsrpFrame[] {
  const framer = new MsrpFramer(limits);
  framer.push(bytes);
  const frames: MsrpFrame[] = [];
  let head: MsrpHead | undefined;
  let body: Uint8Array[] | undefined;
  for (let event = framer.next(); event !== undefined; event = framer.next()) {
    if (event.type === 'head') {
      head = event.head;
      body = event.hasBody ? [] : undefined;
    } else if (event.type === 'body') {
      body?.push(event.bytes);
    } else if (head !== undefined) {
      frames.push({ head, ...(body === undefined ? {} : { body: concatBytes(...body) }), flag: event.flag });
      head = undefined;
    }
  }
  if (!framer.isBetweenFrames) throw malformedMsrp('frame', bytes.length, 'ends early', 'a whole frame');
  return frames;
}

/** RFC 4975 section 7.2; the request decides the addresses. `localPath` is our own URI in the session. */
export function encodeResponseTo(request: MsrpRequestHead, status: number, localPath: string): Uint8Array {
  // "If the request triggering the response was a SEND request, the To-Path header field is formed by copying the
  // first (leftmost) URI in the From-Path"; for other methods the full path.
  const { fromPath } = request.headers;
  const toPath = request.method === 'SEND' ? (fromPath[0] ?? '') : fromPath.join(' ');
  return encodeResponse(request.transactionId, status, toPath, localPath);
}

/** A response; the paths are MSRP URIs that were parsed before. */
export function encodeResponse(id: string, status: number, toPath: string, fromPath: string): Uint8Array {
  const reason = reasons[status] ?? 'Status';
  return utf8(`MSRP ${id} ${status} ${reason}\r\nTo-Path: ${toPath}\r\nFrom-Path: ${fromPath}\r\n-------${id}$\r\n`);
}

/** RFC 4975 sections 7.1.2, 7.1.4 and 7.2: whether a request may be answered with `status` at all. */
export function mayRespond(request: MsrpRequestHead, status: number): boolean {
  if (request.method === 'REPORT') return false;
  const wanted = request.headers.failureReport ?? 'yes';
  return wanted === 'yes' || (wanted === 'partial' && status !== 200);
}

const reasons: Readonly<Record<number, string>> = {
  200: 'OK',
  400: 'Bad Request',
  403: 'Forbidden',
  408: 'Timeout',
  413: 'Stop Sending',
  415: 'Unsupported Media Type',
  423: 'Parameter Out of Bounds',
  424: 'Malformed Nickname',
  425: 'Nickname Reserved Or Already In Use',
  481: 'No Such Session',
  501: 'Unknown Method',
  506: 'Session Bound Elsewhere',
};

/** RFC 4975 section 9: status-code = 3DIGIT. */
const digits = (status: number): string => String(status).padStart(3, '0');

function startLine(head: MsrpHead): string {
  if (head.kind === 'request') return `MSRP ${head.transactionId} ${head.method}`;
  return `MSRP ${head.transactionId} ${digits(head.status)}${head.comment === undefined ? '' : ` ${head.comment}`}`;
}

function headText(head: MsrpHead): string {
  return line(startLine(head)) + headerText(head.headers);
}

/** RFC 4975 section 9: To-Path, From-Path, the rest; section 7.1: Content-Type is the last. */
function headerText(headers: MsrpHeaders): string {
  const { byteRange, status } = headers;
  let text = field('To-Path', headers.toPath.join(' '));
  text += field('From-Path', headers.fromPath.join(' '));
  text += field('Message-ID', headers.messageId);
  text += field('Success-Report', headers.successReport);
  text += field('Failure-Report', headers.failureReport);
  if (byteRange !== undefined) text += field('Byte-Range', formatByteRange(byteRange));
  if (status !== undefined) {
    const comment = status.comment === undefined ? '' : ` ${status.comment}`;
    text += field('Status', `${status.namespace} ${digits(status.code)}${comment}`);
  }
  for (const { name, value } of headers.other) text += field(name, value);
  return text + field('Content-Type', headers.contentType);
}

function field(name: string, value: string | undefined): string {
  return value === undefined ? '' : line(`${name}: ${value}`);
}

function line(text: string): string {
  if (hasControlCharacter(text)) throw impossibleMsrp('header', 'control character', 'text of one line');
  return `${text}\r\n`;
}

import { concatBytes, utf8 } from '../../base/bytes.ts';
import { formatByteRange } from './byte-range.ts';
import { containsEndLine } from './end-line.ts';
import { MsrpFramer, type MsrpFramerLimits } from './framer.ts';
import type { ContinuationFlag, MsrpHead, MsrpHeaders, MsrpRequestHead, MsrpResponseHead } from './head.ts';
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
export function encodeFrame({ head, body, flag }: MsrpFrame): Uint8Array {
  if ((body !== undefined) !== (head.headers.contentType !== undefined)) {
    throw impossibleMsrp('Content-Type', 'must be there exactly when a body is', 'both or none');
  }
  if (body !== undefined && containsEndLine(body, head.transactionId)) {
    throw impossibleMsrp('transactionId', 'the body contains its end-line', 'another transaction id');
  }
  const lines = [startLine(head), ...headerLines(head.headers)];
  if (lines.some(hasControlCharacter)) throw impossibleMsrp('header', 'control character', 'text of one line');
  const top = `${lines.join('\r\n')}\r\n`;
  const bottom = `-------${head.transactionId}${flag}\r\n`;
  return body === undefined ? utf8(top + bottom) : concatBytes(utf8(`${top}\r\n`), body, utf8(`\r\n${bottom}`));
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
export function responseTo(
  request: MsrpRequestHead,
  status: number,
  localPath: string,
  comment = reasonOf(status),
): MsrpResponseHead {
  // "If the request triggering the response was a SEND request, the To-Path header field is formed by copying the
  // first (leftmost) URI in the From-Path"; for other methods the full path.
  const { fromPath } = request.headers;
  const toPath = request.method === 'SEND' ? fromPath.slice(0, 1) : fromPath;
  const headers: MsrpHeaders = { toPath, fromPath: [localPath], other: [] };
  return { kind: 'response', transactionId: request.transactionId, status, comment, headers };
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
  481: 'No Such Session',
  501: 'Unknown Method',
  506: 'Session Bound Elsewhere',
};

export function reasonOf(status: number): string {
  return reasons[status] ?? 'Status';
}

function startLine(head: MsrpHead): string {
  if (head.kind === 'request') return `MSRP ${head.transactionId} ${head.method}`;
  return `MSRP ${head.transactionId} ${head.status}${head.comment === undefined ? '' : ` ${head.comment}`}`;
}

/** RFC 4975 section 9: To-Path, From-Path, the rest; section 7.1: Content-Type is the last. */
function headerLines(headers: MsrpHeaders): string[] {
  const { status } = headers;
  const fields: readonly (readonly [string, string | undefined])[] = [
    ['To-Path', headers.toPath.join(' ')],
    ['From-Path', headers.fromPath.join(' ')],
    ['Message-ID', headers.messageId],
    ['Success-Report', headers.successReport],
    ['Failure-Report', headers.failureReport],
    ['Byte-Range', headers.byteRange && formatByteRange(headers.byteRange)],
    [
      'Status',
      status && [status.namespace, status.code, ...(status.comment === undefined ? [] : [status.comment])].join(' '),
    ],
    ...headers.other.map(({ name, value }) => [name, value] as const),
    ['Content-Type', headers.contentType],
  ];
  return fields.flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`]));
}

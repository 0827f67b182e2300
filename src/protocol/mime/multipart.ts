import { concatBytes, equalBytes, utf8 } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { randomId, type Random } from '../../base/random.ts';
import { formatMediaType, type MediaType } from '../media-type.ts';
import { decodeMimeEntity, encodeMimeEntity, type MimeEntity } from '../mime-entity.ts';

/** Nesting needs no limit here: a part that is itself a multipart is opened only when the caller asks for it. */
export const multipartLimits = { maxOctets: 1024 * 1024, maxParts: 16, maxBoundaryCharacters: 70 } as const;

const carriageReturn = 0x0d;
const lineFeed = 0x0a;
const hyphen = 0x2d;

/**
 * Writes `multipart/<subtype>` (RFC 2046 5.1) under a boundary of 128 random bits that no part contains.
 * @throws ProtocolError `local` when there is no part or a header cannot be written
 */
export function encodeMultipart(options: {
  readonly subtype: 'mixed' | 'related';
  /** Media type of the root, which RFC 2387 wants for `related`. */
  readonly type?: string;
  readonly parts: readonly MimeEntity[];
  readonly random: Random;
}): { readonly contentType: string; readonly body: Uint8Array } {
  if (options.parts.length === 0) throw new ProtocolError('local', 'no part', { field: 'mime.multipart' });
  const parts = options.parts.map(encodeMimeEntity);
  let boundary: string;
  do boundary = randomId(options.random, 16);
  while (parts.some((part) => indexOf(part, utf8(`--${boundary}`), 0) >= 0));
  const pieces = parts.flatMap((part, index) => [utf8(`${index === 0 ? '' : '\r\n'}--${boundary}\r\n`), part]);
  return {
    contentType: formatMediaType(`multipart/${options.subtype}`, {
      ...(options.type === undefined ? {} : { type: options.type }),
      boundary,
    }),
    body: concatBytes(...pieces, utf8(`\r\n--${boundary}--\r\n`)),
  };
}

/**
 * The parts of a multipart body, of whatever subtype, transfer encodings undone. Text before the first and after the last
 * delimiter is passed over. The line end of the first delimiter, CRLF or LF, is the one of all others, so that the octets
 * of a binary part are never in doubt.
 * @throws ProtocolError `malformed` (hint SIP 400) or `unsupported` (hint SIP 415)
 */
export function decodeMultipart(mediaType: MediaType, body: Uint8Array): MimeEntity[] {
  if (body.length > multipartLimits.maxOctets) {
    fail('too large', multipartLimits.maxOctets, `at most ${multipartLimits.maxOctets} octets`);
  }
  const dashBoundary = utf8(`--${boundaryOf(mediaType)}`);
  const first = findFirstDelimiter(body, dashBoundary);
  const delimiter = concatBytes(utf8(first.lineEnd), dashBoundary);
  const parts: MimeEntity[] = [];
  for (let start = first.next; ;) {
    const found = findDelimiter(body, delimiter, start, first.lineEnd);
    if (parts.length === multipartLimits.maxParts) fail('too many parts', start, `at most ${multipartLimits.maxParts}`);
    parts.push(decodeMimeEntity(body.subarray(start, found.at), `mime.part[${parts.length}]`, start));
    if (found.isLast) return parts;
    start = found.next;
  }
}

function boundaryOf(mediaType: MediaType): string {
  const boundary = mediaType.parameters.get('boundary') ?? '';
  // RFC 2046 5.1.1: bchars, not ending with a space.
  if (!/^[0-9a-zA-Z'()+_,./:=? -]{0,69}[0-9a-zA-Z'()+_,./:=?-]$/.test(boundary)) {
    fail('no usable boundary', undefined, `a boundary of 1 to ${multipartLimits.maxBoundaryCharacters} characters`);
  }
  return boundary;
}

interface Delimiter {
  /** Where the line end before the delimiter begins, that is, where the part before it ends. */
  readonly at: number;
  readonly next: number;
  readonly isLast: boolean;
}

function findFirstDelimiter(body: Uint8Array, dashBoundary: Uint8Array): { next: number; lineEnd: '\r\n' | '\n' } {
  for (let at = indexOf(body, dashBoundary, 0); at >= 0; at = indexOf(body, dashBoundary, at + 1)) {
    if (at > 0 && body[at - 1] !== lineFeed) continue;
    const end = skipPadding(body, at + dashBoundary.length);
    if (body[end] === carriageReturn && body[end + 1] === lineFeed) return { next: end + 2, lineEnd: '\r\n' };
    if (body[end] === lineFeed) return { next: end + 1, lineEnd: '\n' };
  }
  return fail('no first delimiter', body.length, '--boundary');
}

function findDelimiter(body: Uint8Array, delimiter: Uint8Array, start: number, lineEnd: string): Delimiter {
  const eol = utf8(lineEnd);
  // An empty part: its delimiter shares the line end of the one before.
  const from = Math.max(0, start - eol.length);
  for (let at = indexOf(body, delimiter, from); at >= 0; at = indexOf(body, delimiter, at + 1)) {
    const after = at + delimiter.length;
    const isLast = body[after] === hyphen && body[after + 1] === hyphen;
    const end = skipPadding(body, isLast ? after + 2 : after);
    const endsLine = equalBytes(body.subarray(end, end + eol.length), eol);
    if (endsLine || (isLast && end === body.length)) return { at: Math.max(at, start), next: end + eol.length, isLast };
  }
  return fail('no closing delimiter', body.length, '--boundary--');
}

/** Transport padding (RFC 2046 5.1.1). */
function skipPadding(body: Uint8Array, from: number): number {
  let end = from;
  while (body[end] === 0x20 || body[end] === 0x09) end++;
  return end;
}

function indexOf(haystack: Uint8Array, needle: Uint8Array, from: number): number {
  const [first = 0] = needle;
  for (let at = haystack.indexOf(first, from); at >= 0; at = haystack.indexOf(first, at + 1)) {
    if (equalBytes(haystack.subarray(at, at + needle.length), needle)) return at;
  }
  return -1;
}

function fail(problem: string, offset: number | undefined, expected: string): never {
  throw new ProtocolError('malformed', problem, {
    field: 'mime.multipart',
    expected,
    hint: { sip: 400 },
    ...(offset === undefined ? {} : { offset }),
  });
}

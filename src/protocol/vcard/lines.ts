import { vcardLimits } from './limits.ts';

/** A line without its folding, still in octets: a fold may stand inside a character (RFC 2426 section 2.6). */
export interface LogicalLine {
  /** Of its first line in the file, from 1. */
  readonly number: number;
  /** Undefined for a line that is longer than what is read. */
  readonly octets: Uint8Array | undefined;
}

const [tab, lineFeed, carriageReturn, space, colon, equals] = [0x09, 0x0a, 0x0d, 0x20, 0x3a, 0x3d];
const quotedPrintable = /;\s*(?:ENCODING\s*=\s*)?QUOTED-PRINTABLE\s*(?:;|$)/i;

/**
 * The logical lines of a file: a line that begins with a space or a tab goes on with the one before (RFC 6350 section 3.2), and so does
 * a quoted-printable line that ends in `=` (vCard 2.1). Lines end with CRLF or LF; empty ones are left out.
 */
export function* logicalLines(bytes: Uint8Array): Generator<LogicalLine> {
  let pieces: Uint8Array[] = [];
  let length = 0;
  let first = 0;
  let isSoft = false;
  const line = (): LogicalLine => {
    if (length > vcardLimits.lineOctets) return { number: first, octets: undefined };
    const octets = new Uint8Array(length);
    let at = 0;
    for (const piece of pieces) {
      octets.set(piece, at);
      at += piece.length;
    }
    return { number: first, octets };
  };
  for (const { number, octets } of physicalLines(bytes)) {
    const isFolded = octets[0] === space || octets[0] === tab;
    const goesOn: boolean = pieces.length > 0 && (isSoft || isFolded);
    if (!goesOn) {
      if (length > 0) yield line();
      [pieces, length, first] = [[], 0, number];
    }
    let piece: Uint8Array = goesOn && isFolded && !isSoft ? octets.subarray(1) : octets;
    const head = pieces[0] ?? piece;
    isSoft = piece.at(-1) === equals && isQuotedPrintable(head);
    if (isSoft) piece = piece.subarray(0, -1);
    // What is beyond the limit is counted and not kept.
    if (length <= vcardLimits.lineOctets) pieces.push(piece);
    length += piece.length;
  }
  if (length > 0) yield line();
}

/** @param head the first line of a property, or its beginning */
function isQuotedPrintable(head: Uint8Array): boolean {
  const end = head.indexOf(colon);
  return end > 0 && end < 512 && quotedPrintable.test(String.fromCharCode(...head.subarray(0, end)));
}

function* physicalLines(bytes: Uint8Array): Generator<{ readonly number: number; readonly octets: Uint8Array }> {
  const hasMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  let number = 0;
  for (let start = hasMark ? 3 : 0; start < bytes.length;) {
    const found = bytes.indexOf(lineFeed, start);
    const end = found < 0 ? bytes.length : found;
    number += 1;
    yield { number, octets: bytes.subarray(start, bytes[end - 1] === carriageReturn && end > start ? end - 1 : end) };
    start = end + 1;
  }
}

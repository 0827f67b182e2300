import { malformedMsrp } from './msrp-error.ts';

/** A Byte-Range header field, RFC 4975 section 7.1.1: positions count from 1, `end` is included. */
export interface ByteRange {
  readonly start: number;
  /** Absent for `*`: not known, or the chunk may be interrupted. */
  readonly end?: number | undefined;
  /** Octets of the whole message; absent for `*`. */
  readonly total?: number | undefined;
}

/** @throws ProtocolError `malformed`; numbers above 15 digits are refused, which keeps them exact. */
export function parseByteRange(text: string, offset = 0): ByteRange {
  const [, startText, endText, totalText] = /^(\d{1,15})-(\d{1,15}|\*)\/(\d{1,15}|\*)$/.exec(text) ?? [];
  const start = Number(startText);
  // A start of 0 is outside the protocol: "The first octet in the message has a position of one".
  if (startText === undefined || start < 1) {
    throw malformedMsrp('Byte-Range', offset, 'not a byte range', 'start-end/total, start from 1');
  }
  return {
    start,
    end: endText === '*' ? undefined : Number(endText),
    total: totalText === '*' ? undefined : Number(totalText),
  };
}

export function formatByteRange(range: ByteRange): string {
  return `${range.start}-${range.end ?? '*'}/${range.total ?? '*'}`;
}

/** False for a range that contradicts itself, such as `5-2/9` or `1-10/5`. `1-0/0` stands for no content. */
export function isPossibleByteRange({ start, end, total }: ByteRange): boolean {
  if (end !== undefined && end < start - 1) return false;
  return total === undefined || (start - 1 <= total && (end === undefined || end <= total));
}

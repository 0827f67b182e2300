import { utf8 } from '../../base/bytes.ts';
import type { ContinuationFlag } from './head.ts';

const dash = 0x2d;
const carriageReturn = 0x0d;
/** Seven dashes open every end-line (RFC 4975 section 9). */
const dashes = 7;

const flagOctets: Readonly<Record<number, ContinuationFlag>> = { 0x24: '$', 0x2b: '+', 0x23: '#' };

/** What one scan found in `bytes`; body octets come in the order `released`, then `bytes[bodyStart..bodyEnd)`. */
export interface EndLineScan {
  /** Octets held back by earlier scans that turned out to be body. */
  readonly released: Uint8Array | undefined;
  readonly bodyStart: number;
  readonly bodyEnd: number;
  /** First octet that was not consumed. */
  readonly next: number;
  /** Present when the end-line is complete. */
  readonly flag?: ContinuationFlag;
}

/**
 * Finds the end of one body in a stream that may be cut anywhere: CRLF, seven dashes, transaction id, flag, CRLF.
 * Anything that only begins like it is body. Linear time: one octet in seven is looked at, as no end-line
 * hides between two octets seven apart that are not dashes. Holds back at most one octet less than the end-line.
 */
export class EndLineScanner {
  readonly #pattern: Uint8Array;
  readonly #flagAt: number;
  /** Octets of the pattern seen at the end of the input so far. */
  #matched: number;
  /** Octets of `#matched` that are not from the body: the empty line before it serves as the end-line's CRLF, which some peers rely on when the body is empty. */
  #borrowed = 2;
  #flagOctet = 0;

  constructor(transactionId: string) {
    this.#pattern = utf8(`\r\n-------${transactionId}?\r\n`);
    this.#flagAt = this.#pattern.length - 3;
    this.#matched = this.#borrowed;
  }

  scan(bytes: Uint8Array, from: number): EndLineScan {
    let position = from;
    let released: Uint8Array | undefined;
    if (this.#matched > 0) {
      position = this.#continueMatch(bytes, from);
      if (this.#matched === this.#pattern.length) {
        return { released, bodyStart: from, bodyEnd: from, next: position, ...this.#flag() };
      }
      if (position === bytes.length) return { released, bodyStart: position, bodyEnd: position, next: position };
      // A new match cannot begin inside the held octets: CR stands only first and last but one in the pattern.
      released = this.#release();
    }
    const found = this.#find(bytes, position);
    if (found >= 0) {
      this.#flagOctet = bytes[found + this.#flagAt] ?? 0;
      const next = found + this.#pattern.length;
      return { released, bodyStart: position, bodyEnd: found, next, ...this.#flag() };
    }
    const held = this.#beginningAtEnd(bytes, position);
    this.#matched = bytes.length - held;
    return { released, bodyStart: position, bodyEnd: held, next: bytes.length };
  }

  #continueMatch(bytes: Uint8Array, from: number): number {
    let position = from;
    while (position < bytes.length && this.#matched < this.#pattern.length) {
      const octet = bytes[position] ?? 0;
      if (!this.#isAt(this.#matched, octet)) break;
      if (this.#matched === this.#flagAt) this.#flagOctet = octet;
      this.#matched++;
      position++;
    }
    return position;
  }

  #release(): Uint8Array {
    const held = this.#pattern.slice(this.#borrowed, this.#matched);
    if (this.#matched > this.#flagAt) held[this.#flagAt - this.#borrowed] = this.#flagOctet;
    this.#matched = 0;
    this.#borrowed = 0;
    return held;
  }

  #find(bytes: Uint8Array, from: number): number {
    let position = from + 2 + dashes - 1;
    while (position < bytes.length) {
      if (bytes[position] !== dash) {
        position += dashes;
        continue;
      }
      let first = position;
      while (first > position - dashes + 1 && bytes[first - 1] === dash) first--;
      const candidate = first - 2;
      if (candidate >= from && this.#matches(bytes, candidate, this.#pattern.length)) return candidate;
      // The next end-line's CRLF comes after this dash, its last dash nine octets on at the earliest.
      position += dashes + 2;
    }
    return -1;
  }

  #beginningAtEnd(bytes: Uint8Array, from: number): number {
    let candidate = bytes.indexOf(carriageReturn, Math.max(from, bytes.length - this.#pattern.length + 1));
    while (candidate >= 0) {
      if (this.#matches(bytes, candidate, bytes.length - candidate)) {
        this.#flagOctet = bytes[candidate + this.#flagAt] ?? 0;
        return candidate;
      }
      candidate = bytes.indexOf(carriageReturn, candidate + 1);
    }
    return bytes.length;
  }

  #matches(bytes: Uint8Array, at: number, length: number): boolean {
    if (at + length > bytes.length) return false;
    for (let index = 0; index < length; index++) {
      if (!this.#isAt(index, bytes[at + index] ?? 0)) return false;
    }
    return true;
  }

  #isAt(index: number, octet: number): boolean {
    return index === this.#flagAt ? octet in flagOctets : octet === this.#pattern[index];
  }

  #flag(): { flag?: ContinuationFlag } {
    const flag = flagOctets[this.#flagOctet];
    return flag === undefined ? {} : { flag };
  }
}

/** RFC 4975 section 7.1: "the sender MUST ensure that the end-line ... is not present in the body". */
export function containsEndLine(body: Uint8Array, transactionId: string): boolean {
  const mark = utf8(transactionId);
  let position = dashes - 1;
  while (position < body.length) {
    if (body[position] !== dash) {
      position += dashes;
      continue;
    }
    let end = position;
    while (body[end] === dash) end++;
    let start = position;
    while (body[start - 1] === dash) start--;
    if (end - start >= dashes && mark.every((octet, index) => body[end + index] === octet)) return true;
    position = end + dashes;
  }
  return false;
}

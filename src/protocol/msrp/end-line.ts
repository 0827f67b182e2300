import { utf8 } from '../../base/bytes.ts';
import type { ContinuationFlag } from './head.ts';

const carriageReturn = 0x0d;

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
 * Anything that only begins like it is body. Holds back at most one octet less than the end-line.
 */
export class EndLineScanner {
  readonly #pattern: Uint8Array;
  /** The pattern up to its flag. */
  readonly #search: OctetSearch;
  readonly #flagAt: number;
  /** Octets of the pattern seen at the end of the input so far. */
  #matched: number;
  /** Octets of `#matched` that are not from the body: the empty line before it serves as the end-line's CRLF, which some peers rely on when the body is empty. */
  #borrowed = 2;
  #flagOctet = 0;

  /** @param search lent for the life of this scanner, to be used again by the next one. */
  constructor(transactionId: string, search: OctetSearch) {
    this.#pattern = utf8(`\r\n-------${transactionId}?\r\n`);
    this.#flagAt = this.#pattern.length - 3;
    this.#search = search;
    search.lookFor(this.#pattern.subarray(0, this.#flagAt));
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
    let candidate = this.#search.find(bytes, from);
    while (candidate >= 0 && !this.#matches(bytes, candidate, this.#pattern.length)) {
      candidate = this.#search.find(bytes, candidate + 1);
    }
    return candidate;
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

/** Octets of a stretch below which going side by side costs more than it gains. */
const worthLanes = 256;

/** RFC 4975 section 7.1: "the sender MUST ensure that the end-line ... is not present in the body". */
export function containsEndLine(body: Uint8Array, transactionId: string, search = new OctetSearch()): boolean {
  search.lookFor(utf8(`-------${transactionId}`));
  return search.find(body, 0) >= 0;
}

/**
 * Finds a few octets among many. Looks at the last octet of each window and skips as far as it allows
 * (Boyer, Moore, Horspool): with the long ids of our own frames some thirty octets at a time.
 * Comparing from the front keeps the time linear for patterns whose first octet stands in them only once,
 * as the CR of an end-line does, since no two long partial matches can then overlap.
 */
export class OctetSearch {
  readonly #skip = new Uint8Array(256);
  #wanted: Uint8Array = new Uint8Array(0);
  #lastOctet = 0;

  /** @param wanted 1 to 255 octets. */
  lookFor(wanted: Uint8Array): void {
    this.#wanted = wanted;
    this.#lastOctet = wanted.at(-1) ?? 0;
    this.#skip.fill(wanted.length);
    for (let index = 0; index < wanted.length - 1; index++) this.#skip[wanted[index] ?? 0] = wanted.length - 1 - index;
  }

  /** Position of the first find from `from` on, or -1. */
  find(bytes: Uint8Array, from: number): number {
    const first = from + this.#wanted.length - 1;
    const quarter = (bytes.length - first) >> 2;
    if (quarter < worthLanes) return this.#findBetween(bytes, first, bytes.length);
    return this.#findInLanes(bytes, first, quarter);
  }

  /**
   * Goes through four stretches side by side: each step waits for the octet that the one before looked at, and a
   * processor can wait for four of them at once. What is left, or a find, is settled stretch by stretch.
   */
  #findInLanes(bytes: Uint8Array, first: number, quarter: number): number {
    const skip = this.#skip;
    const last = this.#lastOctet;
    const [end1, end2, end3, end4] = [first + quarter, first + 2 * quarter, first + 3 * quarter, bytes.length];
    let lane1 = first;
    let lane2 = end1;
    let lane3 = end2;
    let lane4 = end3;
    while (lane1 < end1 && lane2 < end2 && lane3 < end3 && lane4 < end4) {
      const octet1 = bytes[lane1] ?? 0;
      const octet2 = bytes[lane2] ?? 0;
      const octet3 = bytes[lane3] ?? 0;
      const octet4 = bytes[lane4] ?? 0;
      if (octet1 === last && this.#endsAt(bytes, lane1)) break;
      if (octet2 === last && this.#endsAt(bytes, lane2)) break;
      if (octet3 === last && this.#endsAt(bytes, lane3)) break;
      if (octet4 === last && this.#endsAt(bytes, lane4)) break;
      lane1 += skip[octet1] ?? 1;
      lane2 += skip[octet2] ?? 1;
      lane3 += skip[octet3] ?? 1;
      lane4 += skip[octet4] ?? 1;
    }
    let found = this.#findBetween(bytes, lane1, end1);
    if (found < 0) found = this.#findBetween(bytes, lane2, end2);
    if (found < 0) found = this.#findBetween(bytes, lane3, end3);
    return found < 0 ? this.#findBetween(bytes, lane4, end4) : found;
  }

  /** A find whose last octet lies between `position` and `end`. */
  #findBetween(bytes: Uint8Array, position: number, end: number): number {
    const skip = this.#skip;
    for (let at = position; at < end;) {
      const octet = bytes[at] ?? 0;
      if (octet === this.#lastOctet && this.#endsAt(bytes, at)) return at - this.#wanted.length + 1;
      at += skip[octet] ?? 1;
    }
    return -1;
  }

  #endsAt(bytes: Uint8Array, end: number): boolean {
    const wanted = this.#wanted;
    const start = end - wanted.length + 1;
    for (let index = 0; index < wanted.length; index++) if (bytes[start + index] !== wanted[index]) return false;
    return true;
  }
}

import { concatBytes } from '../../base/bytes.ts';
import type { MsrpLine } from './head-parser.ts';
import { malformedMsrp } from './msrp-error.ts';

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/**
 * A queue of octets from which lines or raw octets are taken. A line that lies in one piece is a view;
 * one that was cut is joined once. Knows the offset of everything in the whole stream.
 */
export class LineReader {
  readonly #queue: Uint8Array[] = [];
  #current: Uint8Array = new Uint8Array(0);
  #position = 0;
  #offset = 0;
  /** Beginning of a line whose end has not arrived. */
  #partial: Uint8Array[] = [];
  #partialLength = 0;

  /** Stream offset of the next octet to be consumed. */
  get offset(): number {
    return this.#offset;
  }

  get hasRest(): boolean {
    return this.#partialLength > 0 || this.#position < this.#current.length || this.#queue.length > 0;
  }

  push(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#queue.push(bytes);
  }

  /** The next line without its CRLF, or undefined until it is complete. A lone CR or LF does not end a line. */
  next(limit: number, field: string): MsrpLine | undefined {
    while (this.#load()) {
      // One octet beyond the longest allowed line with its CRLF decides that it is too long.
      const longest = limit + 2 - this.#partialLength;
      const window = this.#current.subarray(this.#position, this.#position + longest);
      const end = window.indexOf(lineFeed);
      if (end < 0 && window.length >= longest) {
        throw malformedMsrp(field, this.#offset - this.#partialLength, 'line too long', `at most ${limit} octets`);
      }
      const part = end < 0 ? window : window.subarray(0, end + 1);
      this.consume(part.length);
      this.#partial.push(part);
      this.#partialLength += part.length;
      if (end >= 0) return this.#finishLine(field);
    }
    return undefined;
  }

  /** Octets of the current piece that were not consumed, without copying; empty when all was consumed. */
  rest(): { readonly bytes: Uint8Array; readonly position: number } {
    this.#load();
    return { bytes: this.#current, position: this.#position };
  }

  consume(octets: number): void {
    this.#position += octets;
    this.#offset += octets;
  }

  #load(): boolean {
    if (this.#position < this.#current.length) return true;
    const next = this.#queue.shift();
    if (next === undefined) return false;
    this.#current = next;
    this.#position = 0;
    return true;
  }

  #finishLine(field: string): MsrpLine {
    const [first] = this.#partial;
    const whole = this.#partial.length === 1 && first !== undefined ? first : concatBytes(...this.#partial);
    const offset = this.#offset - this.#partialLength;
    this.#partial = [];
    this.#partialLength = 0;
    if (whole[whole.length - 2] !== carriageReturn) {
      throw malformedMsrp(field, offset + whole.length - 1, 'line feed without carriage return', 'CRLF');
    }
    return { bytes: whole.subarray(0, -2), offset };
  }
}

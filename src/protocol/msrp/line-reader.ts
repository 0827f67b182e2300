import { concatBytes, fromUtf8 } from '../../base/bytes.ts';
import { hasControlCharacter, malformedMsrp } from './msrp-error.ts';

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const dash = 0x2d;

/** A line without its CRLF and where it began in the stream. */
export interface MsrpLine {
  readonly text: string;
  readonly offset: number;
}

/**
 * A queue of octets from which lines or raw octets are taken. Knows the offset of everything in the whole stream.
 * The lines of a head that lies in one piece are decoded together; only one that was cut is collected line by line.
 */
export class LineReader {
  readonly #queue: Uint8Array[] = [];
  #current: Uint8Array = new Uint8Array(0);
  #position = 0;
  #offset = 0;
  /** Lines that were decoded ahead; their octets count as not consumed. */
  #ahead: string[] = [];
  #aheadNext = 0;
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

  /** The next line, or undefined until it is complete. A lone CR or LF does not end a line. */
  next(limit: number, field: string): MsrpLine | undefined {
    if (this.#aheadNext === this.#ahead.length && !this.#decodeAhead()) return this.#nextSingle(limit, field);
    const text = this.#ahead[this.#aheadNext++] ?? '';
    const { offset } = this;
    if (text.length > limit) throw tooLong(field, offset, limit);
    this.consume(text.length + 2);
    return checked(text, offset, field);
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

  /**
   * Decodes all lines up to an empty one or one that begins like an end-line, if all of them are there and plain ASCII,
   * where characters and octets count the same.
   */
  #decodeAhead(): boolean {
    if (this.#partialLength > 0 || !this.#load()) return false;
    const bytes = this.#current;
    let start = this.#position;
    let end = bytes.indexOf(lineFeed, start);
    while (end >= 0 && bytes[start] !== dash && bytes[start] !== carriageReturn) {
      start = end + 1;
      end = bytes.indexOf(lineFeed, start);
    }
    if (end < 0) return false;
    const block = bytes.subarray(this.#position, end + 1);
    let text: string;
    try {
      text = fromUtf8(block);
    } catch {
      return false;
    }
    if (text.length !== block.length || !text.endsWith('\r\n')) return false;
    this.#ahead = text.slice(0, -2).split('\r\n');
    this.#aheadNext = 0;
    return true;
  }

  #nextSingle(limit: number, field: string): MsrpLine | undefined {
    while (this.#load()) {
      const end = this.#current.indexOf(lineFeed, this.#position);
      const next = end < 0 ? this.#current.length : end + 1;
      if (this.#partialLength + next - this.#position > limit + 2) {
        throw tooLong(field, this.#offset - this.#partialLength, limit);
      }
      const part = this.#current.subarray(this.#position, next);
      this.consume(part.length);
      this.#partial.push(part);
      this.#partialLength += part.length;
      if (end >= 0) return this.#finishSingle(field);
    }
    return undefined;
  }

  #finishSingle(field: string): MsrpLine {
    const whole = concatBytes(...this.#partial);
    const offset = this.#offset - this.#partialLength;
    this.#partial = [];
    this.#partialLength = 0;
    if (whole[whole.length - 2] !== carriageReturn) {
      throw malformedMsrp(field, offset + whole.length - 1, 'line feed without carriage return', 'CRLF');
    }
    try {
      return checked(fromUtf8(whole.subarray(0, -2)), offset, field);
    } catch {
      throw malformedMsrp(field, offset, 'not UTF-8 text', 'UTF-8 text without control characters');
    }
  }
}

/** RFC 4975 section 9: utf8text has no control character but HTAB. */
function checked(text: string, offset: number, field: string): MsrpLine {
  if (!hasControlCharacter(text)) return { text, offset };
  throw malformedMsrp(field, offset, 'control character', 'text ended by CRLF');
}

function tooLong(field: string, offset: number, limit: number): Error {
  return malformedMsrp(field, offset, 'line too long', `at most ${limit} octets`);
}

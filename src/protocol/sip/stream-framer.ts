import { ProtocolError } from '../../base/errors.ts';
import { findLine, readLines } from './lines.ts';
import { defaultSipLimits, type SipLimits } from './message.ts';

export type SipFrame =
  | { readonly kind: 'message'; readonly bytes: Uint8Array }
  /** CRLF CRLF between messages (RFC 5626 3.5.1): answer with CRLF. */
  | { readonly kind: 'ping' }
  /** CRLF between messages: the answer to our ping. */
  | { readonly kind: 'pong' }
  /** The stream cannot be framed any further; `head` holds the headers where they were complete. Close the connection. */
  | { readonly kind: 'error'; readonly error: ProtocolError; readonly head: Uint8Array | undefined };

export interface SipStreamFramerOptions {
  /**
   * Who we are on this connection. A client takes each CRLF between messages as a pong at once; a server waits for
   * the second CRLF of a ping and skips a lone one before a message (RFC 3261 7.5).
   */
  readonly side?: 'client' | 'server';
  readonly limits?: SipLimits;
}

const CR = 0x0d;
const LF = 0x0a;
/** `C`, `L`, `c`, `l`: Content-Length or its short form. */
const contentLengthBegins: ReadonlySet<number> = new Set([0x43, 0x4c, 0x63, 0x6c]);

/**
 * Cuts a TCP or TLS byte stream into SIP messages by Content-Length in octets (RFC 3261 18.3).
 * The result does not depend on how the bytes were split over `push` calls. After an `error` frame it yields nothing.
 */
export class SipStreamFramer {
  readonly #limits: SipLimits;
  readonly #side: 'client' | 'server';
  #buffer = new Uint8Array(4096);
  #length = 0;
  /** Start of the header line that is not complete yet, so that bytes are looked at once. */
  #lineStart = 0;
  #messageOctets: number | undefined;
  #heldLineEnd = false;
  #broken = false;

  constructor(options: SipStreamFramerOptions = {}) {
    this.#limits = options.limits ?? defaultSipLimits;
    this.#side = options.side ?? 'client';
  }

  push(bytes: Uint8Array): SipFrame[] {
    if (this.#broken) return [];
    this.#append(bytes);
    const frames: SipFrame[] = [];
    try {
      for (let frame = this.#next(); frame !== undefined; frame = this.#next()) frames.push(frame);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#broken = true;
      const head = this.#messageOctets === undefined ? undefined : this.#buffer.slice(0, this.#messageOctets);
      frames.push({ kind: 'error', error, head });
      this.#buffer = new Uint8Array();
    }
    return frames;
  }

  #next(): SipFrame | undefined {
    if (this.#messageOctets === undefined) {
      const keepAlive = this.#keepAlive();
      if (keepAlive !== undefined) return keepAlive;
      this.#findMessageEnd();
    }
    if (this.#messageOctets === undefined || this.#length < this.#messageOctets) return undefined;
    const bytes = this.#buffer.slice(0, this.#messageOctets);
    this.#consume(this.#messageOctets);
    this.#messageOctets = undefined;
    return { kind: 'message', bytes };
  }

  #keepAlive(): SipFrame | undefined {
    while (this.#length >= 2 && this.#buffer[0] === CR && this.#buffer[1] === LF) {
      this.#consume(2);
      if (this.#side === 'client') return { kind: 'pong' };
      this.#heldLineEnd = !this.#heldLineEnd;
      if (!this.#heldLineEnd) return { kind: 'ping' };
    }
    return undefined;
  }

  #findMessageEnd(): void {
    const seen = this.#buffer.subarray(0, this.#length);
    for (;;) {
      const line = findLine(seen, this.#lineStart);
      const octets = line?.next ?? seen.length;
      if (octets > this.#limits.headerOctets) {
        throw framingError('headers too long', octets, `at most ${this.#limits.headerOctets} octets`, 413);
      }
      if (line === undefined) return;
      if (line.end === this.#lineStart && line.end > 0) {
        this.#messageOctets = line.next;
        this.#messageOctets += this.#bodyOctets(seen.subarray(0, line.next));
        this.#heldLineEnd = false;
        return;
      }
      this.#lineStart = line.next;
    }
  }

  #bodyOctets(head: Uint8Array): number {
    const values = new Set<string>();
    for (const line of readLines(head, this.#limits.headerOctets).lines.slice(1)) {
      if (!contentLengthBegins.has(line.bytes[0] ?? 0)) continue;
      const text = String.fromCharCode(...line.bytes.subarray(0, 64));
      const value = /^(?:content-length|l)[ \t]*:(.*)$/is.exec(text)?.[1];
      if (value !== undefined) values.add(value.trim());
    }
    const [value] = values;
    // RFC 3261 18.3: over a stream Content-Length MUST be there; without it nothing after this point can be framed.
    if (value === undefined || values.size > 1 || !/^[0-9]{1,9}$/.test(value)) {
      throw framingError('not exactly one Content-Length', head.length, 'a decimal number of octets', 400);
    }
    if (Number(value) > this.#limits.bodyOctets) {
      throw framingError('body too long', head.length, `at most ${this.#limits.bodyOctets} octets`, 413);
    }
    return Number(value);
  }

  #append(bytes: Uint8Array): void {
    const needed = this.#length + bytes.length;
    if (needed > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(needed, this.#buffer.length * 2));
      larger.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = larger;
    }
    this.#buffer.set(bytes, this.#length);
    this.#length = needed;
  }

  #consume(octets: number): void {
    this.#buffer.copyWithin(0, octets, this.#length);
    this.#length -= octets;
    this.#lineStart = 0;
  }
}

function framingError(problem: string, offset: number, expected: string, sip: number): ProtocolError {
  return new ProtocolError('malformed', problem, { field: 'sip.stream', offset, expected, hint: { sip } });
}

import type { ByteRange } from './byte-range.ts';
import type { ContinuationFlag, FailureReport, MsrpHeader } from './head.ts';
import { RangeSet } from './range-set.ts';

/** What is known about a message when its first chunk begins. */
export interface IncomingDescription {
  readonly messageId: string;
  readonly contentType: string;
  /** Octets of the whole message as the peer claims; absent when it did not say. */
  readonly total?: number;
  /** Header fields besides the ones of MSRP itself, for example Content-Disposition. */
  readonly other: readonly MsrpHeader[];
  readonly fromPath: readonly string[];
}

/** Where the octets of an incoming message go, or why they are refused (an MSRP status). */
export type IncomingDecision = 'memory' | 'stream' | { readonly refuse: number };

/** More separate pieces than this are no message but an attack: a sender sends in order, relays swap a few. */
const maxGaps = 256;

/** One message on its way in, joined from chunks by position (RFC 4975 section 7.3.1). */
export class IncomingMessage {
  readonly description: IncomingDescription;
  readonly take: 'memory' | 'stream';
  readonly successReport: boolean;
  readonly failureReport: FailureReport;
  readonly #maxOctets: number;
  readonly #ranges = new RangeSet();
  #buffer = new Uint8Array(0);
  #length: number | undefined;
  #chunkStart = 0;
  #position = 0;

  constructor(
    description: IncomingDescription,
    take: 'memory' | 'stream',
    reports: { readonly success: boolean; readonly failure: FailureReport },
    maxOctets: number,
  ) {
    this.description = description;
    this.take = take;
    this.successReport = reports.success;
    this.failureReport = reports.failure;
    this.#maxOctets = maxOctets;
  }

  /** Position of the next octet of the current chunk, counted from 0. */
  get position(): number {
    return this.#position;
  }

  /** False when the chunk begins beyond what the message may have. */
  beginChunk(range: ByteRange | undefined): boolean {
    this.#chunkStart = (range?.start ?? 1) - 1;
    this.#position = this.#chunkStart;
    return this.#chunkStart <= this.#maxOctets;
  }

  /** False when the message gets larger than allowed. What arrives last overwrites what was there. */
  write(bytes: Uint8Array): boolean {
    const end = this.#position + bytes.length;
    if (end > this.#maxOctets) return false;
    if (this.take === 'memory') {
      this.#grow(end);
      this.#buffer.set(bytes, this.#position);
    }
    this.#position = end;
    return true;
  }

  /**
   * RFC 4975 section 7.3.1: the length of a chunk is that of its payload, whatever its range-end says, and "the chunk
   * that has a termination character of "$" defines the total length of the message".
   */
  endChunk(flag: ContinuationFlag): 'more' | 'complete' | 'aborted' | 'contradiction' {
    this.#ranges.add(this.#chunkStart, this.#position);
    if (flag === '#') return 'aborted';
    if (flag === '$') {
      if (this.#length !== undefined && this.#length !== this.#position) return 'contradiction';
      this.#length = this.#position;
    }
    if (this.#ranges.count > maxGaps || this.#ranges.end > (this.#length ?? Infinity)) return 'contradiction';
    return this.#length !== undefined && this.#ranges.isExactly(this.#length) ? 'complete' : 'more';
  }

  /** Octets of the complete message. */
  get length(): number {
    return this.#length ?? 0;
  }

  /** The octets of a complete message that was taken into memory. */
  bytes(): Uint8Array {
    return this.#buffer.slice(0, this.length);
  }

  /** Grows with what really arrived, never with what the peer merely claims. */
  #grow(needed: number): void {
    if (needed <= this.#buffer.length) return;
    const larger = new Uint8Array(Math.min(this.#maxOctets, Math.max(needed, 2 * this.#buffer.length, 1024)));
    larger.set(this.#buffer);
    this.#buffer = larger;
  }
}

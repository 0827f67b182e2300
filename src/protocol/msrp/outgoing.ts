import { bulkChunkOctets } from './bulk-pace.ts';
import type { ByteRange } from './byte-range.ts';
import type { ChunkEncoder } from './codec.ts';
import type { FailureReport, MsrpHeader } from './head.ts';
import { isMsrpIdent } from './head-parser.ts';
import { impossibleMsrp } from './msrp-error.ts';
import { RangeSet } from './range-set.ts';

/** The content of an outgoing message, taken piece by piece when the connection has room. */
export interface MessageSource {
  /** Octets of the whole, when known. */
  readonly total: number | undefined;
  /** Up to `max` octets, or `wait` while none are at hand; `last` tells that nothing follows. */
  take(max: number): { readonly bytes: Uint8Array; readonly last: boolean } | 'wait';
}

export interface OutgoingRequest {
  /** 4 to 32 characters, unique for ever. */
  readonly messageId: string;
  readonly contentType: string;
  readonly source: MessageSource;
  /**
   * Default `yes`: each chunk is acknowledged, or the message fails after 30 s. `partial`: silence counts as good, a
   * refusal is still heard. `no`: nothing is heard.
   */
  readonly failureReport?: FailureReport;
  /** Default false. When asked for, the message counts as delivered only with a report over all of it. */
  readonly successReport?: boolean;
  /** Header fields before Content-Type, for example Content-Disposition. */
  readonly other?: readonly MsrpHeader[];
  /** Octets of a chunk; by default 2048 for messages up to 64 KiB, else as the pace of the session is, from 64 KiB on. */
  readonly chunkOctets?: number;
}

/** Reports over more separate pieces than this are passed over: no receiver needs them, and they would fill memory. */
const maxReportedPieces = 256;

/** RFC 4975 section 7.1.1: larger chunks must be interruptible, smaller ones should not be made. */
export const smallChunkOctets = 2048;

export function bytesSource(bytes: Uint8Array): MessageSource {
  let position = 0;
  return {
    total: bytes.length,
    take: (max) => {
      const piece = bytes.subarray(position, position + max);
      position += piece.length;
      return { bytes: piece, last: position === bytes.length };
    },
  };
}

export interface OutgoingChunk {
  readonly body: Uint8Array;
  readonly byteRange: ByteRange;
  readonly last: boolean;
}

/** One message on its way out: cuts it into chunks and gathers what the peer said to each. */
export class OutgoingMessage {
  readonly request: OutgoingRequest;
  readonly encoder: ChunkEncoder;
  readonly failureReport: FailureReport;
  /** Absent for a long message, whose chunks are as the pace of the session is. */
  readonly #chunkOctets: number | undefined;
  readonly #maxOctets: number;
  readonly #reported = new RangeSet();
  #position = 0;
  #isSent = false;
  /** Chunks written and not yet answered. */
  unanswered = 0;

  /** @param maxOctets what the peer takes. @throws ProtocolError `local` for a message id or media type that cannot be written. */
  constructor(request: OutgoingRequest, encoder: ChunkEncoder, maxOctets: number) {
    if (!isMsrpIdent(request.messageId)) throw impossibleMsrp('Message-ID', 'not an identifier', '4 to 32 characters');
    if (request.contentType === '') throw impossibleMsrp('Content-Type', 'empty', 'a media type');
    this.request = request;
    this.#maxOctets = maxOctets;
    this.encoder = encoder;
    this.failureReport = request.failureReport ?? 'yes';
    const { total } = request.source;
    this.#chunkOctets =
      request.chunkOctets ?? (total !== undefined && total <= bulkChunkOctets ? smallChunkOctets : undefined);
  }

  /** True when the last chunk was written. */
  get isSent(): boolean {
    return this.#isSent;
  }

  get hasBegun(): boolean {
    return this.#position > 0;
  }

  /** True for a message that may go in large chunks, and may have to wait for the answers to them. */
  get isLong(): boolean {
    return this.#chunkOctets === undefined;
  }

  /** @param bulkOctets of a chunk of a long message. */
  nextChunk(bulkOctets: number): OutgoingChunk | 'wait' | 'too-long' {
    const piece = this.request.source.take(this.#chunkOctets ?? bulkOctets);
    if (piece === 'wait') return 'wait';
    if (this.#position + piece.bytes.length > this.#maxOctets) return 'too-long';
    const start = this.#position + 1;
    this.#position += piece.bytes.length;
    this.#isSent = piece.last;
    return { body: piece.bytes, byteRange: this.#rangeOf(start, piece.last), last: piece.last };
  }

  /** Position for the empty chunk that gives a begun message up. */
  get abortRange(): ByteRange {
    return { start: this.#position + 1, total: this.request.source.total };
  }

  /** Takes a success report; without a range it speaks of the whole message. */
  addReport(range: ByteRange | undefined): void {
    if (this.#reported.count >= maxReportedPieces) return;
    const start = (range?.start ?? 1) - 1;
    this.#reported.add(start, Math.min(range?.end ?? this.#position, this.#position));
  }

  get isDone(): boolean {
    if (!this.#isSent || this.unanswered > 0) return false;
    return this.request.successReport !== true || this.#reported.isExactly(this.#position);
  }

  #rangeOf(start: number, last: boolean): ByteRange {
    const total = this.request.source.total ?? (last ? this.#position : undefined);
    // RFC 4975 section 7.1.1: "any chunk with a body of greater than 2048 octets will have a "*" in the range-end".
    const isInterruptible = this.#position - start + 1 > smallChunkOctets;
    return { start, end: isInterruptible ? undefined : this.#position, total };
  }
}

import { EndLineScanner, OctetSearch } from './end-line.ts';
import type { ContinuationFlag, MsrpHead } from './head.ts';
import { HeadParser, PathReader } from './head-parser.ts';
import { LineReader, type MsrpLine } from './line-reader.ts';
import { malformedMsrp } from './msrp-error.ts';

export interface MsrpFramerLimits {
  /** Octets of the start line. */
  readonly startLineOctets: number;
  /** Octets of all header lines of a frame together. */
  readonly headerOctets: number;
  readonly headerCount: number;
  /** Octets of the body of one SEND; a message of any number of chunks is bounded by its receiver. */
  readonly chunkOctets: number;
}

export const defaultMsrpFramerLimits: MsrpFramerLimits = {
  startLineOctets: 512,
  headerOctets: 16 * 1024,
  headerCount: 64,
  chunkOctets: 2 ** 40,
};

/** RFC 4975 section 7.1: "Non-SEND request bodies MUST NOT be larger than 10240 octets." */
const maxNonSendBodyOctets = 10_240;

export type MsrpFramerEvent =
  | { readonly type: 'head'; readonly head: MsrpHead; readonly hasBody: boolean }
  /** Part of the body; a view of the pushed octets wherever these lay in one piece. */
  | { readonly type: 'body'; readonly bytes: Uint8Array }
  | { readonly type: 'end'; readonly flag: ContinuationFlag };

/**
 * Cuts a stream of octets into MSRP frames (RFC 4975 sections 5.1 and 9), wherever the stream itself was cut.
 * `push` octets, then take events with `next` until it gives `undefined`. A body is passed on as it arrives and
 * never collected. After an error the stream has no known position any more: every later call throws the same error.
 */
export class MsrpFramer {
  readonly #limits: MsrpFramerLimits;
  readonly #lines = new LineReader();
  readonly #paths = new PathReader();
  readonly #search = new OctetSearch();
  readonly #events: MsrpFramerEvent[] = [];
  #state: 'start' | 'headers' | 'body' = 'start';
  #head: HeadParser | undefined;
  #transactionId: string | undefined;
  #headerCount = 0;
  #headerOctets = 0;
  #bodyOctets = 0;
  #scanner: EndLineScanner | undefined;
  #failure: unknown;

  constructor(limits: Partial<MsrpFramerLimits> = {}) {
    this.#limits = { ...defaultMsrpFramerLimits, ...limits };
  }

  /** Transaction of the request being read, as long as RFC 4975 would let it be answered 400. */
  get answerableTransaction(): string | undefined {
    return this.#head?.mayBeAnswered === false ? undefined : this.#transactionId;
  }

  /** True when everything pushed so far was whole frames. */
  get isBetweenFrames(): boolean {
    return this.#state === 'start' && this.#events.length === 0 && !this.#lines.hasRest;
  }

  /** Octets are kept by reference until they are consumed; the caller must not change them. */
  push(bytes: Uint8Array): void {
    this.#lines.push(bytes);
  }

  /** @throws ProtocolError `malformed` with the offset in the stream. */
  next(): MsrpFramerEvent | undefined {
    if (this.#failure !== undefined) throw this.#failure as Error;
    try {
      return this.#advance();
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }

  #advance(): MsrpFramerEvent | undefined {
    for (;;) {
      const event = this.#events.shift();
      if (event !== undefined) return event;
      if (this.#state === 'body' ? !this.#readBody() : !this.#readLine()) return undefined;
    }
  }

  #readLine(): boolean {
    if (this.#state === 'start') {
      const line = this.#lines.next(this.#limits.startLineOctets, 'startLine');
      if (line === undefined) return false;
      this.#head = new HeadParser(line, this.#paths, (id) => (this.#transactionId = id));
      this.#state = 'headers';
      this.#headerCount = 0;
      this.#headerOctets = 0;
      return true;
    }
    const line = this.#lines.next(this.#limits.headerOctets - this.#headerOctets, 'header');
    if (line === undefined) return false;
    if (this.#head !== undefined) this.#takeHeaderLine(line, this.#head);
    return true;
  }

  #takeHeaderLine(line: MsrpLine, head: HeadParser): void {
    if (line.text.length === 0) {
      this.#events.push({ type: 'head', head: head.finish(), hasBody: true });
      this.#scanner = new EndLineScanner(head.transactionId, this.#search);
      this.#bodyOctets = 0;
      this.#state = 'body';
      return;
    }
    const flag = endLineFlag(line.text, head.transactionId);
    if (flag !== undefined) {
      this.#events.push({ type: 'head', head: head.finish(), hasBody: false });
      this.#finishFrame(flag);
      return;
    }
    this.#headerOctets += line.text.length + 2;
    if (++this.#headerCount > this.#limits.headerCount) {
      throw malformedMsrp('header', line.offset, 'too many header fields', `at most ${this.#limits.headerCount}`);
    }
    head.addHeader(line);
  }

  #readBody(): boolean {
    const { bytes, position } = this.#lines.rest();
    if (position === bytes.length || this.#scanner === undefined) return false;
    const scan = this.#scanner.scan(bytes, position);
    this.#lines.consume(scan.next - position);
    if (scan.released !== undefined) this.#emitBody(scan.released);
    this.#emitBody(bytes.subarray(scan.bodyStart, scan.bodyEnd));
    if (scan.flag !== undefined) this.#finishFrame(scan.flag);
    return true;
  }

  #emitBody(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#bodyOctets += bytes.length;
    const limit = this.#head?.method === 'SEND' ? this.#limits.chunkOctets : maxNonSendBodyOctets;
    if (this.#bodyOctets > limit) {
      throw malformedMsrp('body', this.#lines.offset, 'body too long', `at most ${limit} octets`);
    }
    this.#events.push({ type: 'body', bytes });
  }

  #finishFrame(flag: ContinuationFlag): void {
    this.#events.push({ type: 'end', flag });
    this.#state = 'start';
    this.#head = undefined;
    this.#scanner = undefined;
    this.#transactionId = undefined;
  }
}

/** RFC 4975 section 7.1: a request without a body ends with an end-line right after the last header field. */
function endLineFlag(line: string, transactionId: string): ContinuationFlag | undefined {
  if (!line.startsWith('-') || line.slice(0, -1) !== `-------${transactionId}`) return undefined;
  const flag = line.slice(-1);
  return flag === '$' || flag === '+' || flag === '#' ? flag : undefined;
}

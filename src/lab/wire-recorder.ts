import { toBase64, utf8 } from '../base/bytes.ts';

export type RecordedSide = 'accessLeg' | 'insideEdge';

export interface Finding {
  /** Occurrences in UTF-8 or in base64, in all streams of that side. */
  readonly count: number;
  /** Names of the streams that hold it, each once. */
  readonly where: readonly string[];
  /** Octets that were searched. */
  readonly octets: number;
}

export interface WireFindings {
  readonly accessLeg: Finding;
  readonly insideEdge: Finding;
}

/** One direction of one connection, or one place inside the edge; its octets are searched as one run. */
export class RecordedStream {
  /** May become more telling later, when the user of a connection is known. */
  label: string;
  readonly side: RecordedSide;
  /** Whether anything becomes of what is recorded. */
  readonly isKept: boolean;
  readonly chunks: Uint8Array[] = [];
  readonly #onRecord: (stream: RecordedStream, bytes: Uint8Array) => void;

  constructor(side: RecordedSide, label: string, onRecord?: (stream: RecordedStream, bytes: Uint8Array) => void) {
    this.side = side;
    this.label = label;
    this.isKept = onRecord !== undefined;
    this.#onRecord = onRecord ?? (() => undefined);
  }

  record(bytes: Uint8Array): void {
    this.#onRecord(this, bytes);
  }

  /** The same place, of which nothing is kept. */
  muted(): RecordedStream {
    return new RecordedStream(this.side, this.label);
  }
}

const defaultLimitOctets = 64 * 1024 * 1024;

/**
 * What passed on the access legs, octet for octet below TLS, and what the edge saw of it.
 * Keeps at most `limitOctets`; the oldest go first, and `forgottenOctets` tells how many went.
 */
export class WireRecorder {
  readonly #limit: number;
  readonly #alsoTo: ((stream: RecordedStream, bytes: Uint8Array) => void) | undefined;
  /** Oldest first. An array with a moving start, because shifting a long array is slow. */
  #order: RecordedStream[] = [];
  #first = 0;
  #octets = 0;
  #forgotten = 0;
  #streams = new Set<RecordedStream>();

  /** @param limitOctets 0 records nothing. @param alsoTo gets everything besides, whatever the limit. */
  constructor(limitOctets = defaultLimitOctets, alsoTo?: (stream: RecordedStream, bytes: Uint8Array) => void) {
    this.#limit = limitOctets;
    this.#alsoTo = alsoTo;
  }

  get forgottenOctets(): number {
    return this.#forgotten;
  }

  open(side: RecordedSide, label: string): RecordedStream {
    if (this.#limit === 0 && this.#alsoTo === undefined) return new RecordedStream(side, label);
    return new RecordedStream(side, label, (stream, bytes) => this.#record(stream, bytes));
  }

  /** Forgets everything recorded so far; open streams go on. */
  clear(): void {
    for (const stream of this.#streams) stream.chunks.length = 0;
    this.#streams = new Set();
    this.#order = [];
    this.#first = 0;
    this.#octets = 0;
    this.#forgotten = 0;
  }

  /**
   * Looks for a text of at least four characters in its UTF-8 form and inside base64 at each of the three alignments
   * (line breaks within base64 do not hide it).
   */
  find(marker: string): WireFindings {
    const needles = searchForms(marker);
    return { accessLeg: this.#findIn('accessLeg', needles), insideEdge: this.#findIn('insideEdge', needles) };
  }

  #findIn(side: RecordedSide, needles: SearchForms): Finding {
    let count = 0;
    let octets = 0;
    const where = new Set<string>();
    for (const stream of this.#streams) {
      if (stream.side !== side) continue;
      const octetsOfStream = Buffer.concat(stream.chunks);
      octets += octetsOfStream.length;
      const found = countForms(octetsOfStream, needles);
      if (found > 0) where.add(stream.label);
      count += found;
    }
    return { count, where: [...where], octets };
  }

  #record(stream: RecordedStream, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#alsoTo?.(stream, bytes);
    if (this.#limit === 0) return;
    stream.chunks.push(Uint8Array.from(bytes));
    this.#streams.add(stream);
    this.#order.push(stream);
    this.#octets += bytes.length;
    while (this.#octets > this.#limit) this.#forgetOldest();
  }

  #forgetOldest(): void {
    const stream = this.#order[this.#first++];
    const octets = stream?.chunks.shift()?.length ?? 0;
    this.#octets -= octets;
    this.#forgotten += octets;
    if (stream?.chunks.length === 0) this.#streams.delete(stream);
    if (this.#first > 10_000) {
      this.#order = this.#order.slice(this.#first);
      this.#first = 0;
    }
  }
}

/** How often a text of at least four characters stands in octets, in UTF-8 or inside base64 at any alignment. */
export function occurrences(octets: Buffer, marker: string): number {
  return countForms(octets, searchForms(marker));
}

interface SearchForms {
  readonly plain: Uint8Array;
  readonly base64: readonly string[];
}

function searchForms(marker: string): SearchForms {
  const plain = utf8(marker);
  if (plain.length < 4) throw new RangeError('a marker needs four octets or more');
  // Octets before the marker shift it within the groups of three; the characters that mix in a neighbour's bits are cut off.
  const base64 = [0, 1, 2].map((shift) => {
    const shifted = new Uint8Array(shift + plain.length);
    shifted.set(plain, shift);
    return toBase64(shifted).slice(Math.ceil((shift * 8) / 6), Math.floor(((shift + plain.length) * 8) / 6));
  });
  return { plain, base64 };
}

function countForms(octets: Buffer, { plain, base64 }: SearchForms): number {
  const withoutLineEnds = Buffer.from(octets.filter((octet) => octet !== 0x0d && octet !== 0x0a));
  return (
    countOf(octets, Buffer.from(plain)) +
    base64.reduce((sum, text) => sum + countOf(withoutLineEnds, Buffer.from(text, 'latin1')), 0)
  );
}

function countOf(haystack: Buffer, needle: Buffer): number {
  let count = 0;
  for (let at = haystack.indexOf(needle); at >= 0; at = haystack.indexOf(needle, at + 1)) count++;
  return count;
}

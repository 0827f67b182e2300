import { ProtocolError } from './errors.ts';

const lengthBases = [
  ...[3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59],
  ...[67, 83, 99, 115, 131, 163, 195, 227, 258],
];
const lengthExtraBits = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const distanceBases = [
  ...[1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769],
  ...[1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577],
];
const distanceExtraBits = Array.from(distanceBases, (_, index) => Math.max(0, (index >> 1) - 1));
/** The order in which the lengths of the code for code lengths stand. */
const lengthOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const longestCode = 15;
const endOfBlock = 256;

/**
 * Undoes compression in the zlib format (RFC 1950) with the deflate method (RFC 1951).
 * @param most octets of the result above which it is refused, before they are made
 * @param field for errors
 * @throws ProtocolError `malformed` for anything else, for what follows the end, for a wrong checksum, and above `most` (hint SIP 413)
 */
export function inflate(bytes: Uint8Array, most: number, field: string): Uint8Array {
  const [method = 0, flags = 0] = bytes;
  const isZlib = (method & 0x0f) === 8 && method >> 4 <= 7 && ((method << 8) | flags) % 31 === 0;
  if (bytes.length < 2 || !isZlib || (flags & 0x20) !== 0)
    throw malformed(field, 0, 'zlib format without a dictionary');
  const bits = new Bits(bytes, 2, field);
  const output = new Output(most, field);
  for (let isLast = false; !isLast;) {
    isLast = bits.take(1) === 1;
    const kind = bits.take(2);
    if (kind === 0) copyStored(bits, output);
    else if (kind === 1) readBlock(bits, output, fixedCodes());
    else if (kind === 2) readBlock(bits, output, readCodes(bits));
    else throw malformed(field, bits.offset, 'a block of a known kind');
  }
  bits.skipToOctet();
  const checksum = bits.octets(4).reduce((value, octet) => value * 256 + octet, 0);
  const result = output.result();
  if (bits.offset !== bytes.length) throw malformed(field, bits.offset, 'nothing after the end');
  if (checksum !== adler32(result)) throw malformed(field, bits.offset - 4, 'the checksum of the content');
  return result;
}

class Bits {
  readonly field: string;
  readonly #bytes: Uint8Array;
  #next: number;
  #held = 0;
  #count = 0;

  constructor(bytes: Uint8Array, start: number, field: string) {
    this.#bytes = bytes;
    this.#next = start;
    this.field = field;
  }

  get offset(): number {
    return this.#next;
  }

  /** The first bit is the lowest. */
  take(count: number): number {
    while (this.#count < count) {
      const octet = this.#bytes[this.#next];
      if (octet === undefined) throw malformed(this.field, this.#next, 'more octets');
      this.#next++;
      this.#held |= octet << this.#count;
      this.#count += 8;
    }
    const value = this.#held & ((1 << count) - 1);
    this.#held >>>= count;
    this.#count -= count;
    return value;
  }

  skipToOctet(): void {
    this.#held = 0;
    this.#count = 0;
  }

  octets(count: number): Uint8Array {
    const taken = this.#bytes.subarray(this.#next, this.#next + count);
    if (taken.length < count) throw malformed(this.field, this.#bytes.length, 'more octets');
    this.#next += count;
    return taken;
  }
}

class Output {
  readonly #most: number;
  readonly #field: string;
  #octets = new Uint8Array(1024);
  #length = 0;

  constructor(most: number, field: string) {
    this.#most = most;
    this.#field = field;
  }

  add(octet: number): void {
    if (this.#length >= this.#most) {
      const expected = `at most ${this.#most} octets`;
      throw new ProtocolError('malformed', 'too large when decompressed', {
        field: this.#field,
        expected,
        hint: { sip: 413 },
      });
    }
    if (this.#length === this.#octets.length) {
      const larger = new Uint8Array(this.#length * 2);
      larger.set(this.#octets);
      this.#octets = larger;
    }
    this.#octets[this.#length++] = octet;
  }

  /** False when there is nothing so far back. */
  repeat(length: number, distance: number): boolean {
    if (distance > this.#length) return false;
    for (let count = 0; count < length; count++) this.add(this.#octets[this.#length - distance] ?? 0);
    return true;
  }

  result(): Uint8Array {
    return this.#octets.slice(0, this.#length);
  }
}

/** A Huffman code: how many codes there are of each length, and their symbols in order (RFC 1951 section 3.2.2). */
interface Code {
  readonly counts: readonly number[];
  readonly symbols: readonly number[];
}

interface Codes {
  readonly lengths: Code;
  readonly distances: Code;
}

function makeCode(lengths: readonly number[], { field, offset }: Bits): Code {
  const counts = Array.from({ length: longestCode + 1 }, (_, length) => lengths.filter((one) => one === length).length);
  let left = 1;
  for (let length = 1; length <= longestCode; length++) {
    left = left * 2 - (counts[length] ?? 0);
    if (left < 0) throw malformed(field, offset, 'codes that can be told apart');
  }
  const symbols = lengths.map((length, symbol) => ({ length, symbol })).filter(({ length }) => length > 0);
  symbols.sort((one, other) => one.length - other.length || one.symbol - other.symbol);
  return { counts, symbols: symbols.map(({ symbol }) => symbol) };
}

function readSymbol(bits: Bits, { counts, symbols }: Code): number {
  let code = 0;
  let first = 0;
  let index = 0;
  for (let length = 1; length <= longestCode; length++) {
    code |= bits.take(1);
    const count = counts[length] ?? 0;
    const symbol = code - first < count ? symbols[index + code - first] : undefined;
    if (symbol !== undefined) return symbol;
    index += count;
    first = (first + count) * 2;
    code *= 2;
  }
  throw malformed(bits.field, bits.offset, 'a code that was defined');
}

function copyStored(bits: Bits, output: Output): void {
  bits.skipToOctet();
  const [low = 0, high = 0, notLow = 0, notHigh = 0] = bits.octets(4);
  const isSound = (low ^ notLow) === 0xff && (high ^ notHigh) === 0xff;
  if (!isSound) throw malformed(bits.field, bits.offset, 'a length and its complement');
  for (const octet of bits.octets(high * 256 + low)) output.add(octet);
}

function readBlock(bits: Bits, output: Output, { lengths, distances }: Codes): void {
  for (;;) {
    const symbol = readSymbol(bits, lengths);
    if (symbol === endOfBlock) return;
    if (symbol < endOfBlock) {
      output.add(symbol);
      continue;
    }
    const length = readNumber(bits, symbol - endOfBlock - 1, lengthBases, lengthExtraBits);
    const distance = readNumber(bits, readSymbol(bits, distances), distanceBases, distanceExtraBits);
    if (!output.repeat(length, distance)) throw malformed(bits.field, bits.offset, 'a distance to what is there');
  }
}

function readNumber(bits: Bits, index: number, bases: readonly number[], extraBits: readonly number[]): number {
  const base = bases[index];
  if (base === undefined) throw malformed(bits.field, bits.offset, 'a length or distance that is defined');
  return base + bits.take(extraBits[index] ?? 0);
}

function fixedCodes(): Codes {
  const bits = new Bits(new Uint8Array(), 0, '');
  const lengths = Array.from({ length: 288 }, (_, symbol) =>
    symbol < 144 ? 8 : symbol < 256 ? 9 : symbol < 280 ? 7 : 8,
  );
  const distances = Array.from({ length: 30 }, () => 5);
  return { lengths: makeCode(lengths, bits), distances: makeCode(distances, bits) };
}

/** RFC 1951 section 3.2.7. */
function readCodes(bits: Bits): Codes {
  const lengthCount = bits.take(5) + 257;
  const distanceCount = bits.take(5) + 1;
  const orderCount = bits.take(4) + 4;
  const ordered = Array.from({ length: lengthOrder.length }, () => 0);
  for (const symbol of lengthOrder.slice(0, orderCount)) ordered[symbol] = bits.take(3);
  const code = makeCode(ordered, bits);
  const all: number[] = [];
  while (all.length < lengthCount + distanceCount) {
    const symbol = readSymbol(bits, code);
    if (symbol < 16) all.push(symbol);
    else all.push(...repeated(bits, symbol, all.at(-1)));
  }
  if (all.length > lengthCount + distanceCount)
    throw malformed(bits.field, bits.offset, 'no more lengths than announced');
  return {
    lengths: makeCode(all.slice(0, lengthCount), bits),
    distances: makeCode(all.slice(lengthCount), bits),
  };
}

function repeated(bits: Bits, symbol: number, before: number | undefined): number[] {
  if (symbol === 16 && before === undefined) throw malformed(bits.field, bits.offset, 'a length to repeat');
  const count = symbol === 16 ? 3 + bits.take(2) : symbol === 17 ? 3 + bits.take(3) : 11 + bits.take(7);
  const value = symbol === 16 ? (before ?? 0) : 0;
  return Array.from({ length: count }, () => value);
}

/** RFC 1950 section 8.2. */
function adler32(bytes: Uint8Array): number {
  let low = 1;
  let high = 0;
  for (const octet of bytes) {
    low = (low + octet) % 65_521;
    high = (high + low) % 65_521;
  }
  return high * 65_536 + low;
}

function malformed(field: string, offset: number, expected: string): ProtocolError {
  return new ProtocolError('malformed', 'not what was compressed', { field, offset, expected, hint: { sip: 400 } });
}

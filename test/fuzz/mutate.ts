import { concatBytes, fromAscii, utf8 } from '../../src/base/bytes.ts';
import type { FuzzRandom } from './fuzz-random.ts';

/** Longest input that is made, well above every limit that a small message meets. */
const maxOctets = 64 * 1024;

const octets = [0x00, 0x01, 0x02, 0x0a, 0x0d, 0x20, 0x22, 0x7f, 0x80, 0xfe, 0xff];
const lengths = [0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff];
const numbers = ['0', '1', '-1', '00', '255', '65536', '999999999', '4294967296', '99999999999999999999', '*', ''];

type Mutation = (bytes: Uint8Array, random: FuzzRandom, material: MutationMaterial) => Uint8Array;

export interface MutationMaterial {
  readonly corpus: readonly Uint8Array[];
  /** Words of the format. */
  readonly tokens: readonly Uint8Array[];
}

interface Range {
  readonly start: number;
  readonly end: number;
}

function range(bytes: Uint8Array, random: FuzzRandom): Range {
  const start = random.below(bytes.length + 1);
  const longest = random.once(4) ? bytes.length - start : Math.min(64, bytes.length - start);
  return { start, end: start + random.below(longest + 1) };
}

const replaced = (bytes: Uint8Array, { start, end }: Range, by: Uint8Array): Uint8Array =>
  concatBytes(bytes.subarray(0, start), by, bytes.subarray(end));

const inserted = (bytes: Uint8Array, at: number, what: Uint8Array): Uint8Array =>
  replaced(bytes, { start: at, end: at }, what);

function changedAt(bytes: Uint8Array, random: FuzzRandom, change: (octet: number) => number): Uint8Array {
  const out = Uint8Array.from(bytes);
  const at = random.below(out.length);
  if (out.length > 0) out[at] = change(out[at] ?? 0);
  return out;
}

const mutations: readonly Mutation[] = [
  // One bit, one octet.
  (bytes, random) => changedAt(bytes, random, (octet) => octet ^ (1 << random.below(8))),
  (bytes, random) => changedAt(bytes, random, () => random.pick(octets)),
  (bytes, random) => changedAt(bytes, random, (octet) => octet + random.pick([1, -1, 16, -16])),
  // Cut at either end, or in the middle.
  (bytes, random) => bytes.subarray(0, random.below(bytes.length + 1)),
  (bytes, random) => bytes.subarray(random.below(Math.min(bytes.length, 8) + 1)),
  (bytes, random) => replaced(bytes, range(bytes, random), new Uint8Array()),
  // A length that lies: two octets, or digits in a text.
  (bytes, random) => {
    const length = random.pick(lengths);
    const at = random.below(bytes.length);
    return replaced(bytes, { start: at, end: Math.min(at + 2, bytes.length) }, Uint8Array.of(length >> 8, length));
  },
  (bytes, random) => {
    const runs = digitRuns(bytes);
    return runs.length === 0 ? bytes : replaced(bytes, random.pick(runs), utf8(random.pick(numbers)));
  },
  // Repeat, move, exchange.
  (bytes, random) => {
    const { start, end } = range(bytes, random);
    const part = bytes.subarray(start, end);
    const times = random.once(8) ? random.below(200) + 1 : 1;
    return inserted(bytes, end, concatBytes(...Array.from({ length: times }, () => part)));
  },
  (bytes, random) => {
    const { start, end } = range(bytes, random);
    const without = replaced(bytes, { start, end }, new Uint8Array());
    return inserted(without, random.below(without.length + 1), bytes.subarray(start, end));
  },
  // Something of another message.
  (bytes, random, { corpus }) => {
    const other = random.pick(corpus);
    return concatBytes(bytes.subarray(0, random.below(bytes.length + 1)), other.subarray(random.below(other.length)));
  },
  (bytes, random, { corpus }) => {
    const other = random.pick(corpus);
    const { start, end } = range(other, random);
    return inserted(bytes, random.below(bytes.length + 1), other.subarray(start, end));
  },
  // Words and noise.
  (bytes, random, { tokens }) =>
    tokens.length === 0 ? bytes : inserted(bytes, random.below(bytes.length + 1), random.pick(tokens)),
  (bytes, random, { tokens }) =>
    tokens.length === 0 ? bytes : replaced(bytes, range(bytes, random), random.pick(tokens)),
  (bytes, random) => inserted(bytes, random.below(bytes.length + 1), random.bytes(random.below(16))),
  // A whole line of a text.
  (bytes, random) => {
    const lines = lineRanges(bytes);
    const { start, end } = random.pick(lines);
    const line = bytes.subarray(start, end);
    return random.once(2)
      ? replaced(bytes, { start, end }, new Uint8Array())
      : inserted(bytes, random.pick(lines).start, line);
  },
];

function digitRuns(bytes: Uint8Array): Range[] {
  const runs: Range[] = [];
  for (let start = 0; start < bytes.length; start++) {
    let end = start;
    while (isDigit(bytes[end])) end++;
    if (end > start) runs.push({ start, end });
    start = end;
  }
  return runs;
}

const isDigit = (octet: number | undefined): boolean => octet !== undefined && octet >= 0x30 && octet <= 0x39;

function lineRanges(bytes: Uint8Array): Range[] {
  const ranges: Range[] = [];
  for (let start = 0; start < bytes.length || ranges.length === 0;) {
    const feed = bytes.indexOf(0x0a, start);
    const end = feed < 0 ? bytes.length : feed + 1;
    ranges.push({ start, end });
    if (end === start) break;
    start = end;
  }
  return ranges;
}

/** An input near one of the corpus: as it is, or with one to eight changes. */
export function mutated(random: FuzzRandom, material: MutationMaterial): Uint8Array {
  let bytes = random.pick(material.corpus);
  let left = random.once(50) ? 0 : 1;
  while (left < 8 && random.once(2)) left++;
  for (; left > 0; left--) bytes = random.pick(mutations)(bytes, random, material).subarray(0, maxOctets);
  return Uint8Array.from(bytes);
}

export const words = (...texts: readonly string[]): Uint8Array[] => texts.map((text) => utf8(text));

/** The text of an input for parsers that take text, if it is one. */
export function asText(bytes: Uint8Array): string | undefined {
  return bytes.every((octet) => octet < 0x80) ? fromAscii(bytes) : undefined;
}

import { ProtocolError } from './errors.ts';
import { fromUtf8, toHex } from './bytes.ts';

/** One thing that was read: a field, or a group of them. */
export interface TreeNode {
  /** As the format's specification calls it. */
  readonly name: string;
  /** In the octets that were given to the reader. */
  readonly offset: number;
  readonly length: number;
  /** A number, a text, or octets as hexadecimal digits. */
  readonly value?: string | number;
  /** What the value stands for, in words. */
  readonly meaning?: string;
  /** The octets are key material and are not shown. */
  readonly hidden?: true;
  readonly children?: readonly TreeNode[];
}

/** Where reading could not go on. */
export interface ReadingStop {
  readonly offset: number;
  /** Names of the groups from the outside to the field, with dots. */
  readonly field: string;
  readonly problem: string;
  readonly expected?: string;
}

export interface ReadTree {
  readonly tree: TreeNode;
  /** In the order of discovery; empty when everything could be read. */
  readonly stops: readonly ReadingStop[];
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };
type GrowingNode = Omit<Writable<TreeNode>, 'children'> & { children?: GrowingNode[] };

interface Shared {
  readonly stops: ReadingStop[];
  nodes: number;
}

/** Bounds memory and output; a MIKEY message of 16 KiB needs far fewer. */
const maxNodes = 50_000;

class StopReading extends Error {}

/**
 * Reads fields into a tree and never throws for what it reads: where it cannot go on it notes the place and the expectation.
 * Reading goes on after a part whose length is known, so that one bad part does not hide the rest.
 * For people who look at messages; what a program acts on is read by the strict codecs.
 */
export class TreeReader {
  readonly #bytes: Uint8Array;
  readonly #base: number;
  readonly #shared: Shared;
  readonly #path: string[];
  #siblings: GrowingNode[];
  #position = 0;

  private constructor(
    bytes: Uint8Array,
    base: number,
    shared: Shared,
    path: readonly string[],
    siblings: GrowingNode[],
  ) {
    this.#bytes = bytes;
    this.#base = base;
    this.#shared = shared;
    this.#path = [...path];
    this.#siblings = siblings;
  }

  /** Reads `bytes` as one thing called `name`; octets that are left over end as "not read". */
  static read(bytes: Uint8Array, name: string, read: (reader: TreeReader) => void): ReadTree {
    const shared: Shared = { stops: [], nodes: 0 };
    const children: GrowingNode[] = [];
    new TreeReader(bytes, 0, shared, [name], children).#whole(read);
    return { tree: { name, offset: 0, length: bytes.length, children }, stops: shared.stops };
  }

  /** Offset of the next octet in the whole input. */
  get offset(): number {
    return this.#base + this.#position;
  }

  get remaining(): number {
    return this.#bytes.length - this.#position;
  }

  get isAtEnd(): boolean {
    return this.remaining === 0;
  }

  /** The octets that are left, without reading them. */
  peek(): Uint8Array {
    return this.#bytes.subarray(this.#position);
  }

  /** A big-endian number of 1 to 4 octets. */
  number(octets: 1 | 2 | 3 | 4, name: string, meaning?: (value: number) => string | undefined): number {
    const offset = this.offset;
    const value = this.#take(octets, name).reduce((sum, octet) => sum * 256 + octet, 0);
    this.#add({ name, offset, length: octets, value, ...worded(meaning?.(value)) });
    return value;
  }

  /** Octets, shown in hexadecimal digits. */
  octets(length: number, name: string, meaning?: (bytes: Uint8Array) => string | undefined): Uint8Array {
    const offset = this.offset;
    const bytes = this.#take(length, name);
    this.#add({ name, offset, length, value: toHex(bytes), ...worded(meaning?.(bytes)) });
    return bytes;
  }

  /** Octets that are a text; in hexadecimal digits when they are none. */
  text(length: number, name: string, meaning?: (text: string) => string | undefined): string {
    const offset = this.offset;
    const bytes = this.#take(length, name);
    const text = printableText(bytes);
    const words = text === undefined ? 'not a text' : meaning?.(text);
    this.#add({ name, offset, length, value: text ?? toHex(bytes), ...worded(words) });
    return text ?? toHex(bytes);
  }

  /** Octets whose value the caller has read itself, such as a line of text. */
  span(length: number, name: string, value?: string | number, meaning?: string): void {
    const offset = this.offset;
    const taken = this.#take(length, name).length;
    this.#add({ name, offset, length: taken, ...(value === undefined ? {} : { value }), ...worded(meaning) });
  }

  /** Key material: only its length and, in words, what may be said of it. */
  hidden(length: number, name: string, meaning?: (bytes: Uint8Array) => string): Uint8Array {
    const offset = this.offset;
    const bytes = this.#take(length, name);
    this.#add({ name, offset, length, hidden: true, meaning: meaning?.(bytes) ?? 'not shown' });
    return bytes;
  }

  /** A remark about the place where the reader stands, or another; reads nothing. */
  note(name: string, meaning: string, offset = this.offset): void {
    this.#add({ name, offset, length: 0, meaning });
  }

  /** Fields that belong together; what is read in `read` stands inside. `describe` gives the group its words. */
  group<T>(name: string, read: () => T, describe?: (result: T) => string | undefined): T {
    const node: GrowingNode = { name, offset: this.offset, length: 0, children: [] };
    this.#add(node);
    const outside = this.#siblings;
    this.#siblings = node.children ?? [];
    this.#path.push(name);
    try {
      const result = read();
      Object.assign(node, worded(describe?.(result)));
      return result;
    } finally {
      this.#path.pop();
      this.#siblings = outside;
      node.length = this.offset - node.offset;
    }
  }

  /**
   * A part of known length. Whatever is wrong in it, reading goes on behind it; when more octets are claimed than there are,
   * what is there is read and reading stops then.
   */
  within(length: number, name: string, read: (reader: TreeReader) => void): void {
    const isCut = length > this.remaining;
    if (isCut) this.#note(name, `${octetsText(length)} claimed, ${this.remaining} left`, octetsText(length));
    const node: GrowingNode = {
      name,
      offset: this.offset,
      length: Math.min(length, this.remaining),
      children: [],
    };
    this.#add(node);
    const bytes = this.#bytes.subarray(this.#position, this.#position + length);
    const inner = new TreeReader(bytes, this.offset, this.#shared, [...this.#path, name], node.children ?? []);
    inner.#whole(read);
    this.#position += bytes.length;
    if (isCut) throw new StopReading();
  }

  /** Another input that was made from this one, such as deciphered octets: its offsets start at 0. */
  derived(bytes: Uint8Array, name: string, meaning: string, read: (reader: TreeReader) => void): void {
    const node: GrowingNode = { name, offset: this.offset, length: 0, meaning, children: [] };
    this.#add(node);
    new TreeReader(bytes, 0, this.#shared, [...this.#path, name], node.children ?? []).#whole(read);
  }

  /** Notes that reading cannot go on here. */
  stop(field: string, problem: string, expected?: string, offset = this.offset): never {
    this.#note(field, problem, expected, offset);
    throw new StopReading();
  }

  #whole(read: (reader: TreeReader) => void): void {
    try {
      read(this);
      if (!this.isAtEnd) this.#note('end', `${octetsText(this.remaining)} too many`, 'the end');
    } catch (error) {
      if (!(error instanceof StopReading)) throw error;
    }
    if (this.isAtEnd) return;
    // What could not be read may be anything, keys included.
    this.#siblings.push({ name: 'not read', offset: this.offset, length: this.remaining });
    this.#position = this.#bytes.length;
  }

  #take(length: number, field: string): Uint8Array {
    if (length > this.remaining) {
      this.stop(field, `${octetsText(length)} wanted, ${this.remaining} left`, octetsText(length));
    }
    const bytes = this.#bytes.subarray(this.#position, this.#position + length);
    this.#position += length;
    return bytes;
  }

  #add(node: GrowingNode): void {
    if (++this.#shared.nodes > maxNodes) this.stop(node.name, 'too many fields', `at most ${maxNodes}`, node.offset);
    this.#siblings.push(node);
  }

  #note(field: string, problem: string, expected?: string, offset = this.offset): void {
    this.#shared.stops.push({
      offset,
      field: [...this.#path, field].join('.'),
      problem,
      ...(expected === undefined ? {} : { expected }),
    });
  }
}

const octetsText = (count: number): string => `${count} ${count === 1 ? 'octet' : 'octets'}`;

const worded = (meaning: string | undefined): { meaning?: string } => (meaning === undefined ? {} : { meaning });

/** The text, if the octets are UTF-8 without control characters: what a terminal may be given. */
export function printableText(bytes: Uint8Array): string | undefined {
  try {
    const text = fromUtf8(bytes);
    return /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(text) ? undefined : text;
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return undefined;
  }
}

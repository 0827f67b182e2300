import { ProtocolError, type ProtocolErrorHint } from '../../base/errors.ts';

/** Identifier octets of the universal types in use (X.690 8.1.2). */
export const derTag = {
  integer: 0x02,
  octetString: 0x04,
  objectIdentifier: 0x06,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Identifier octet of a context-specific type, `[number]`, `number` below 31. */
export function contextTag(number: number, form: 'primitive' | 'constructed'): number {
  return 0x80 | (form === 'constructed' ? 0x20 : 0) | number;
}

export interface DerElement {
  readonly tag: number;
  /** Where the identifier octet stands in the whole input. */
  readonly offset: number;
  readonly contents: Uint8Array;
  /** Identifier, length and contents. */
  readonly encoded: Uint8Array;
}

const maxObjectIdentifierOctets = 32;

/**
 * Reads DER (X.690 10) elements one after another: definite, shortest lengths and one-octet tags only.
 * Every error names the field and the offset in the whole input. Depth is bounded by the caller's own structure:
 * nothing here descends by itself.
 */
export class DerReader {
  readonly #bytes: Uint8Array;
  readonly #base: number;
  readonly #hint: ProtocolErrorHint;
  #position = 0;

  /** @param base offset of `bytes` in the whole input. */
  constructor(bytes: Uint8Array, hint: ProtocolErrorHint = {}, base = 0) {
    this.#bytes = bytes;
    this.#base = base;
    this.#hint = hint;
  }

  get offset(): number {
    return this.#base + this.#position;
  }

  get isAtEnd(): boolean {
    return this.#position === this.#bytes.length;
  }

  /** The next element, of whatever type. */
  any(field: string): DerElement {
    const start = this.#position;
    const tag = this.#octet(field);
    if ((tag & 0x1f) === 0x1f) this.fail(field, 'long tag', 'a one-octet tag', start);
    const length = this.#length(field);
    const contents = this.#bytes.subarray(this.#position, this.#position + length);
    this.#position += length;
    const encoded = this.#bytes.subarray(start, this.#position);
    return { tag, offset: this.#base + start, contents, encoded };
  }

  read(tag: number, field: string): DerElement {
    const start = this.#position;
    const found = this.#bytes[start];
    if (found !== tag) {
      this.fail(field, found === undefined ? 'missing' : `tag ${hex(found)}`, `tag ${hex(tag)}`, start);
    }
    return this.any(field);
  }

  /** `undefined`, reading nothing, when the next element has another tag or there is none. */
  optional(tag: number, field: string): DerElement | undefined {
    return this.#bytes[this.#position] === tag ? this.any(field) : undefined;
  }

  /** A reader over the contents of the next element. */
  enter(tag: number, field: string): DerReader {
    const element = this.read(tag, field);
    const contentsOffset = element.offset + element.encoded.length - element.contents.length;
    return new DerReader(element.contents, this.#hint, contentsOffset);
  }

  octetString(field: string): Uint8Array {
    return this.read(derTag.octetString, field).contents;
  }

  /** A non-negative INTEGER below 2^31. */
  smallInteger(field: string): number {
    const start = this.#position;
    const { contents } = this.read(derTag.integer, field);
    const [first = 0x80, second = 0x80] = contents;
    if (contents.length > 4 || first >= 0x80) this.fail(field, 'out of range', 'an INTEGER of 0 to 2^31-1', start);
    if (contents.length > 1 && first === 0 && second < 0x80) {
      this.fail(field, 'not the shortest form', 'a DER INTEGER', start);
    }
    return contents.reduce((value, octet) => value * 256 + octet, 0);
  }

  /** In dotted form. */
  objectIdentifier(field: string): string {
    const start = this.#position;
    const { contents } = this.read(derTag.objectIdentifier, field);
    const last = contents.at(-1);
    if (last === undefined || last >= 0x80 || contents.length > maxObjectIdentifierOctets) {
      this.fail(field, 'cut off or too long', 'an OBJECT IDENTIFIER', start);
    }
    const arcs: number[] = [];
    let arc = 0;
    for (const octet of contents) {
      if (arc === 0 && octet === 0x80) this.fail(field, 'not the shortest form', 'a DER OBJECT IDENTIFIER', start);
      arc = arc * 128 + (octet & 0x7f);
      if (!Number.isSafeInteger(arc)) this.fail(field, 'arc too large', 'arcs below 2^53', start);
      if (octet >= 0x80) continue;
      arcs.push(arc);
      arc = 0;
    }
    const [joined = 0, ...rest] = arcs;
    const top = Math.min(2, Math.floor(joined / 40));
    return [top, joined - 40 * top, ...rest].join('.');
  }

  expectEnd(field: string): void {
    if (!this.isAtEnd) this.fail(field, `${this.#bytes.length - this.#position} octets too many`, 'the end');
  }

  /** @param position of the failure in this reader's octets, by default where it stands. */
  fail(field: string, problem: string, expected: string, position = this.#position): never {
    throw new ProtocolError('malformed', problem, {
      field,
      offset: this.#base + position,
      expected,
      hint: this.#hint,
    });
  }

  #octet(field: string): number {
    const octet = this.#bytes[this.#position];
    if (octet === undefined) this.fail(field, 'cut off', 'another octet');
    this.#position++;
    return octet;
  }

  /** X.690 10.1: the definite form, in the fewest octets. */
  #length(field: string): number {
    const start = this.#position;
    const first = this.#octet(field);
    let length = first;
    if (first >= 0x80) {
      if (first === 0x80) this.fail(field, 'indefinite length (BER)', 'DER', start);
      if (first > 0x84) this.fail(field, 'length too large', 'a length below 2^32', start);
      length = 0;
      for (let count = first & 0x7f; count > 0; count--) length = length * 256 + this.#octet(field);
      const fewest = length < 0x80 ? 0 : Math.ceil((32 - Math.clz32(length)) / 8);
      if (fewest !== (first & 0x7f)) this.fail(field, 'length not in the shortest form', 'DER', start);
    }
    const left = this.#bytes.length - this.#position;
    if (length > left) this.fail(field, `${length} octets claimed, ${left} left`, `${length} octets`, start);
    return length;
  }
}

function hex(octet: number): string {
  return `0x${octet.toString(16).padStart(2, '0')}`;
}

import { ProtocolError, type ProtocolErrorHint } from './errors.ts';

/**
 * Reads big-endian fields one after another and knows where it stands.
 * Every read names its field, so that a short input is reported as field, offset and expectation.
 */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #base: number;
  readonly #hint: ProtocolErrorHint;
  #position = 0;

  /** @param base offset of `bytes` in the whole input, added to every reported offset. */
  constructor(bytes: Uint8Array, base = 0, hint: ProtocolErrorHint = {}) {
    this.#bytes = bytes;
    this.#base = base;
    this.#hint = hint;
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

  /** A view, not a copy, of the next `length` octets. */
  bytes(length: number, field: string): Uint8Array {
    if (length > this.remaining) {
      this.fail(field, `${length} octets claimed, ${this.remaining} left`, `${length} octets`);
    }
    const view = this.#bytes.subarray(this.#position, this.#position + length);
    this.#position += length;
    return view;
  }

  u8(field: string): number {
    return this.#unsigned(1, field);
  }

  u16(field: string): number {
    return this.#unsigned(2, field);
  }

  u24(field: string): number {
    return this.#unsigned(3, field);
  }

  u32(field: string): number {
    return this.#unsigned(4, field);
  }

  u64(field: string): bigint {
    const high = this.u32(field);
    return (BigInt(high) << 32n) | BigInt(this.u32(field));
  }

  /** A reader over the next `length` octets that keeps reporting offsets in the whole input. */
  sub(length: number, field: string): ByteReader {
    const base = this.offset;
    return new ByteReader(this.bytes(length, field), base, this.#hint);
  }

  rest(): Uint8Array {
    return this.bytes(this.remaining, 'rest');
  }

  expectEnd(field: string): void {
    if (!this.isAtEnd) this.fail(field, `${this.remaining} octets too many`, 'the end');
  }

  fail(field: string, problem: string, expected?: string): never {
    throw new ProtocolError('malformed', problem, {
      field,
      offset: this.offset,
      hint: this.#hint,
      ...(expected === undefined ? {} : { expected }),
    });
  }

  #unsigned(length: number, field: string): number {
    let value = 0;
    for (const octet of this.bytes(length, field)) value = value * 256 + octet;
    return value;
  }
}

import { fromUtf8 } from '../base/bytes.ts';

export type Line = { readonly text: string } | { readonly problem: 'too-long' | 'not-utf-8' };

/** Cuts a stream of octets into lines, holding at most `maxOctets`; the rest of a longer line is thrown away. */
export class BoundedLines {
  readonly #maxOctets: number;
  #parts: Uint8Array[] = [];
  #length = 0;
  #tooLong = false;

  constructor(maxOctets: number) {
    this.#maxOctets = maxOctets;
  }

  push(chunk: Uint8Array): Line[] {
    const lines: Line[] = [];
    let start = 0;
    for (;;) {
      const feed = chunk.indexOf(0x0a, start);
      this.#hold(chunk.subarray(start, feed < 0 ? chunk.length : feed));
      if (feed < 0) return lines;
      lines.push(...this.end());
      start = feed + 1;
    }
  }

  /** The last line when the stream ends without a line feed; blank lines are nothing. */
  end(): Line[] {
    const tooLong = this.#tooLong;
    const bytes = new Uint8Array(this.#length);
    let offset = 0;
    for (const part of this.#parts) {
      bytes.set(part, offset);
      offset += part.length;
    }
    this.#parts = [];
    this.#length = 0;
    this.#tooLong = false;
    if (tooLong) return [{ problem: 'too-long' }];
    try {
      const text = fromUtf8(bytes, 'line').trim();
      return text === '' ? [] : [{ text }];
    } catch {
      return [{ problem: 'not-utf-8' }];
    }
  }

  #hold(part: Uint8Array): void {
    if (this.#tooLong || part.length === 0) return;
    if (this.#length + part.length > this.#maxOctets) {
      this.#tooLong = true;
      this.#parts = [];
      this.#length = 0;
      return;
    }
    // The chunk's memory may be reused by the stream: keep a copy.
    this.#parts.push(Uint8Array.from(part));
    this.#length += part.length;
  }
}

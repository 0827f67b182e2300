import type { TreeReader } from '../../base/tree-reader.ts';

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

export interface PeekedLine {
  /** Without its line end; octets that are no UTF-8 are replaced. */
  readonly text: string;
  /** With its line end. */
  readonly octets: number;
}

const decoder = new TextDecoder('utf-8');

/** The next line, not yet read; `undefined` at the end. */
export function peekLine(reader: TreeReader): PeekedLine | undefined {
  const left = reader.peek();
  if (left.length === 0) return undefined;
  const feed = left.indexOf(lineFeed);
  const octets = feed < 0 ? left.length : feed + 1;
  let end = feed < 0 ? left.length : feed;
  if (end > 0 && left[end - 1] === carriageReturn) end--;
  return { text: printable(decoder.decode(left.subarray(0, end))), octets };
}

/** Text that a terminal may be given: control characters are shown as \u00XX. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    return character === '\t' ? ' ' : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

export type HeaderList = { readonly name: string; readonly value: string }[];

/** Header lines up to and with the empty line. Lines that are none are noted and passed over. */
export function readHeaderLines(reader: TreeReader): HeaderList {
  const headers: HeaderList = [];
  for (let line = peekLine(reader); line !== undefined; line = peekLine(reader)) {
    if (line.text === '') {
      reader.span(line.octets, 'empty line');
      return headers;
    }
    const colon = line.text.indexOf(':');
    if (colon <= 0) {
      reader.span(line.octets, 'not a header line', line.text);
      continue;
    }
    const name = line.text.slice(0, colon).trim();
    const value = line.text.slice(colon + 1).trim();
    headers.push({ name, value });
    reader.span(line.octets, name, value);
  }
  return headers;
}

export function headerOf(headers: HeaderList, ...names: readonly string[]): string | undefined {
  return headers.find(({ name }) => names.includes(name.toLowerCase()))?.value;
}

/** Where `needle` begins in `haystack`, -1 when it is not there. */
export function indexOfText(haystack: Uint8Array, needle: string, from = 0): number {
  const octets = new TextEncoder().encode(needle);
  const [first = 0] = octets;
  for (let at = haystack.indexOf(first, from); at >= 0; at = haystack.indexOf(first, at + 1)) {
    if (octets.every((octet, index) => haystack[at + index] === octet)) return at;
  }
  return -1;
}

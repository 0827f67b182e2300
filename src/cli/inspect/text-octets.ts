/** Octets that a text stands for. */
export interface TextOctets {
  readonly bytes: Uint8Array;
  /** For example `base64url`. */
  readonly encoding: string;
  /** The first character that does not fit; what stands before it was read. */
  readonly stop?: { readonly offset: number; readonly problem: string; readonly expected: string };
}

/** Hexadecimal digits: plain, with blanks, colons, commas, 0x or \x, or as a hex dump prints them. `undefined` when it is none. */
export function readHexText(text: string): TextOctets | undefined {
  return readHexDump(text) ?? readPlainHex(text);
}

function readPlainHex(text: string): TextOctets | undefined {
  const digits = text.replaceAll(/0x|\\x/gi, ' ').replaceAll(/[\s:,;-]+/g, '');
  if (digits.length < 2 || !/^[0-9a-f]+$/i.test(digits)) return undefined;
  const bytes = octetsOf(digits);
  if (digits.length % 2 === 0) return { bytes, encoding: 'hex' };
  const stop = { offset: text.trimEnd().length - 1, problem: 'half an octet', expected: 'an even number of digits' };
  return { bytes, encoding: 'hex', stop };
}

const octetsOf = (digits: string): Uint8Array =>
  Uint8Array.from({ length: Math.floor(digits.length / 2) }, (_, index) =>
    Number.parseInt(digits.slice(2 * index, 2 * index + 2), 16),
  );

interface DumpLine {
  readonly offsetText: string;
  /** Behind the offset. */
  readonly rest: string;
}

/** An offset, two or more blanks or a colon, then octets: xxd, hexdump -C, od -A x -t x1, tcpdump -X, Wireshark. */
const dumpLine = /^\s*(?:0x)?([0-9a-f]{4,12})(?::|(?=\s|$))(.*)$/i;

function readHexDump(text: string): TextOctets | undefined {
  const lines: DumpLine[] = [];
  for (const line of text.split(/\r?\n/)) {
    if (line.trim() === '') continue;
    const [, offsetText, rest] = dumpLine.exec(line) ?? [];
    if (offsetText === undefined || rest === undefined) return undefined;
    lines.push({ offsetText, rest });
  }
  const [first] = lines;
  if (first === undefined || Number.parseInt(first.offsetText, 16) !== 0 || first.rest.trim() === '') return undefined;
  return readDumpLines(lines);
}

function readDumpLines(lines: readonly DumpLine[]): TextOctets | undefined {
  const radix = dumpRadix(lines);
  const offsets = lines.map(({ offsetText }) => Number.parseInt(offsetText, radix));
  const width = lines.length > 1 ? (offsets[1] ?? 0) : undefined;
  if (offsets.some((offset, index) => index > 0 && offset <= (offsets[index - 1] ?? 0))) return undefined;
  // The column of characters begins where it does in the first line, whose length is known.
  const column = width === undefined ? undefined : hexColumnEnd(lines[0]?.rest ?? '', width);
  const octets: number[] = [];
  let isSwapped = false;
  for (const [index, { rest }] of lines.entries()) {
    const next = offsets[index + 1];
    const count = next === undefined ? undefined : next - (offsets[index] ?? 0);
    const groups = hexGroups(
      count === undefined && column !== undefined ? rest.slice(0, column) : rest,
      count ?? width ?? 16,
    );
    // hexdump and od -x print 16-bit words of a little-endian machine.
    if (index === 0) isSwapped = isWordDump(lines, groups);
    for (const group of groups) {
      const bytes = [...octetsOf(group)];
      octets.push(...(isSwapped ? bytes.reverse() : bytes));
    }
    if (next !== undefined && octets.length !== next) {
      const problem = `${octets.length} octets up to here, the next line says ${next}`;
      const stop = { offset: octets.length, problem, expected: 'as many octets as the offsets say' };
      return { bytes: Uint8Array.from(octets), encoding: 'hex dump', stop };
    }
  }
  return { bytes: Uint8Array.from(octets), encoding: isSwapped ? 'hex dump of 16-bit words' : 'hex dump' };
}

/** od counts in octal unless told otherwise. */
function dumpRadix(lines: readonly DumpLine[]): 8 | 16 {
  const second = lines[1]?.offsetText;
  return second !== undefined && /^0*20$/.test(second) && second.length === 7 ? 8 : 16;
}

function isWordDump(lines: readonly DumpLine[], groups: readonly string[]): boolean {
  const isBare = (lines[0]?.offsetText.length ?? 0) === 7;
  return isBare && groups.length > 0 && groups.slice(0, -1).every((group) => group.length === 4);
}

/** Groups of digits from the start of `rest`, up to `count` octets or to what is no group. */
function hexGroups(rest: string, count: number): string[] {
  const groups: string[] = [];
  let octets = 0;
  for (const [, blanks = '', group = ''] of rest.matchAll(/(\s*)(\S+)/g)) {
    if (octets >= count || !/^(?:[0-9a-f]{2})+$/i.test(group)) break;
    // Two blanks part the octets from their characters, but also the two halves of a line.
    if (groups.length > 0 && blanks.length > 1 && octets !== count / 2) break;
    if (octets + group.length / 2 > count) break;
    groups.push(group);
    octets += group.length / 2;
  }
  return groups;
}

function hexColumnEnd(rest: string, count: number): number {
  let octets = 0;
  for (const match of rest.matchAll(/[0-9a-f]{2}/gi)) {
    if (++octets === count) return match.index + 2;
  }
  return rest.length;
}

/** Base64 or base64url, with or without padding, blanks ignored. `undefined` when not even the beginning is. */
export function readBase64Text(text: string): TextOctets | undefined {
  const isUrl = /[-_]/.test(text);
  const bytes: number[] = [];
  let bits = 0;
  let held = 0;
  let symbols = 0;
  let padding = 0;
  let stop: TextOctets['stop'];
  const encoding = isUrl ? 'base64url' : 'base64';
  for (let offset = 0; offset < text.length; offset++) {
    const character = text.charAt(offset);
    if (/\s/.test(character)) continue;
    if (character === '=') {
      padding++;
      continue;
    }
    const value = symbolValue(character);
    if (value < 0 || padding > 0) {
      stop = { offset, problem: value < 0 ? 'unexpected character' : 'character after padding', expected: encoding };
      break;
    }
    symbols++;
    held = ((held << 6) | value) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((held >> bits) & 0xff);
    }
  }
  if (symbols < 4) return undefined;
  if (stop === undefined && symbols % 4 === 1) {
    stop = { offset: text.trimEnd().length, problem: 'one character too many or missing', expected: encoding };
  }
  return { bytes: Uint8Array.from(bytes), encoding, ...(stop === undefined ? {} : { stop }) };
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

function symbolValue(character: string): number {
  if (character === '-') return 62;
  return character === '_' ? 63 : alphabet.indexOf(character);
}

import { concatBytes } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';

const CR = 0x0d;
const LF = 0x0a;
const NUL = 0x00;
const space = Uint8Array.of(0x20);
const flowTimer = 'flow-timer:';

/** One line without its end; `offset` is where it starts in the message. */
export interface SipLine {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/**
 * Finds the line that starts at `start`: `end` is its first octet that is no text, `next` the start of the line after it.
 * Undefined when no line end has come yet. A NUL in place of the line feed is taken as one after Flow-Timer only:
 * a widespread edge proxy (Kamailio 6.0 with `flow_timer` set) writes it so.
 */
export function findLine(
  bytes: Uint8Array,
  start: number,
): { readonly end: number; readonly next: number } | undefined {
  for (let at = bytes.indexOf(CR, start); at >= 0 && at + 1 < bytes.length; at = bytes.indexOf(CR, at + 1)) {
    const second = bytes[at + 1];
    if (second === LF || (second === NUL && isFlowTimer(bytes.subarray(start, at)))) return { end: at, next: at + 2 };
  }
  return undefined;
}

/**
 * Splits start line and headers, unfolding continuation lines (RFC 3261 7.3.1).
 * @throws ProtocolError when the empty line is missing within `maxOctets`.
 */
export function readLines(bytes: Uint8Array, maxOctets: number): { lines: SipLine[]; bodyOffset: number } {
  const head = bytes.subarray(0, maxOctets);
  const lines: { offset: number; parts: Uint8Array[] }[] = [];
  for (let start = 0; ;) {
    const line = findLine(head, start);
    if (line === undefined) throw unfinished(head.length, bytes.length > maxOctets, maxOctets);
    const text = head.subarray(start, line.end);
    if (text.length === 0) return { lines: lines.map(unfold), bodyOffset: line.next };
    const last = lines.at(-1);
    if (text[0] === 0x20 || text[0] === 0x09) {
      if (lines.length < 2 || last === undefined) throw foldedStart(start);
      last.parts.push(space, trimStart(text));
    } else {
      lines.push({ offset: start, parts: [text] });
    }
    start = line.next;
  }
}

function unfold(line: { readonly offset: number; readonly parts: readonly Uint8Array[] }): SipLine {
  const [only, ...more] = line.parts;
  return { offset: line.offset, bytes: only !== undefined && more.length === 0 ? only : concatBytes(...line.parts) };
}

function trimStart(text: Uint8Array): Uint8Array {
  const first = text.findIndex((octet) => octet !== 0x20 && octet !== 0x09);
  return first < 0 ? new Uint8Array() : text.subarray(first);
}

function isFlowTimer(line: Uint8Array): boolean {
  return String.fromCharCode(...line.subarray(0, flowTimer.length)).toLowerCase() === flowTimer;
}

function unfinished(offset: number, tooLong: boolean, maxOctets: number): ProtocolError {
  return new ProtocolError('malformed', tooLong ? 'headers too long' : 'no empty line after the headers', {
    field: 'sip.headers',
    offset,
    expected: tooLong ? `at most ${maxOctets} octets` : 'an empty line',
    hint: { sip: tooLong ? 413 : 400 },
  });
}

function foldedStart(offset: number): ProtocolError {
  return new ProtocolError('malformed', 'continuation line without a header', {
    field: 'sip.header',
    offset,
    expected: 'a header field',
    hint: { sip: 400 },
  });
}

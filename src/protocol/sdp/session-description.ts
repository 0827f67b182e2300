import { fromUtf8, utf8 } from '../../base/bytes.ts';
import { ProtocolError, type ProtocolErrorKind } from '../../base/errors.ts';
import { readMediaLine } from './media-line.ts';

/** One `<type>=<value>` line (RFC 8866 clause 5); `value` has no line break. */
export interface SdpLine {
  /** A single letter. */
  readonly type: string;
  readonly value: string;
}

/** The lines of one media description; the first is its `m=` line. */
export interface MediaSection {
  readonly lines: readonly SdpLine[];
}

/** An SDP body with every line in its place: formatting a parsed body gives the same lines in the same order. */
export interface SessionDescription {
  readonly session: readonly SdpLine[];
  readonly media: readonly MediaSection[];
}

export interface SdpLimits {
  readonly octets: number;
  readonly lineOctets: number;
  readonly lines: number;
  readonly media: number;
}

export const defaultSdpLimits: SdpLimits = { octets: 64 * 1024, lineOctets: 16 * 1024, lines: 1000, media: 32 };

// RFC 8866 clause 5: a parser MUST reject a description with a type letter that it does not understand.
const sessionTypes = 'vosiuepcbtrzka';
const mediaTypes = 'micbka';

const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/**
 * Reads an SDP body (RFC 8866). Lines end in CRLF or, tolerated, LF.
 * @throws ProtocolError `malformed` with the octet offset of the line, hint SIP 400.
 */
export function parseSdp(input: string | Uint8Array, limits: SdpLimits = defaultSdpLimits): SessionDescription {
  const bytes = typeof input === 'string' ? utf8(input) : input;
  if (bytes.length > limits.octets) fail('sdp', 0, 'too long', `at most ${limits.octets} octets`);
  const session: SdpLine[] = [];
  const media: { lines: SdpLine[] }[] = [];
  let count = 0;
  for (const { content, offset } of splitLines(bytes, limits.lineOctets)) {
    if (++count > limits.lines) fail('sdp', offset, 'too many lines', `at most ${limits.lines} lines`);
    const line = parseLine(content, offset);
    if (line.type === 'm') {
      if (media.length === limits.media) fail('sdp.m', offset, 'too many media', `at most ${limits.media}`);
      readMediaLine(line.value, offset);
      media.push({ lines: [] });
    }
    const section = media.at(-1);
    if (!(section === undefined ? sessionTypes : mediaTypes).includes(line.type)) {
      fail(`sdp.${line.type}`, offset, 'unknown type letter here', 'a line type of RFC 8866');
    }
    (section?.lines ?? session).push(line);
  }
  requireSessionLines(session);
  return { session, media };
}

/** Writes every line with CRLF. @throws ProtocolError `local` when a value holds a line break or NUL. */
export function formatSdp(description: SessionDescription): string {
  const lines = [...description.session, ...description.media.flatMap((section) => section.lines)];
  return lines
    .map(({ type, value }) => {
      if (/[\r\n\0]/.test(value)) fail(`sdp.${type}`, undefined, 'line break in a value', 'one line', 'local');
      return `${type}=${value}\r\n`;
    })
    .join('');
}

function* splitLines(bytes: Uint8Array, lineOctets: number): Generator<{ content: Uint8Array; offset: number }> {
  for (let offset = 0; offset < bytes.length;) {
    const feed = bytes.indexOf(lineFeed, offset);
    const next = feed < 0 ? bytes.length : feed;
    const end = next > offset && bytes[next - 1] === carriageReturn ? next - 1 : next;
    if (end - offset > lineOctets) fail('sdp', offset, 'line too long', `at most ${lineOctets} octets`);
    // Blank lines after the last one are padding that some stacks send; anywhere else they break the grammar.
    if (end > offset) yield { content: bytes.subarray(offset, end), offset };
    else if (!bytes.subarray(offset).every((octet) => octet === lineFeed || octet === carriageReturn)) {
      fail('sdp', offset, 'empty line', 'type=value');
    }
    offset = next + 1;
  }
}

function parseLine(content: Uint8Array, offset: number): SdpLine {
  if (content.length < 2 || content[1] !== 0x3d) fail('sdp', offset, 'not a line', 'type=value');
  const bad = content.findIndex((octet) => octet === 0 || octet === carriageReturn);
  if (bad >= 0) fail('sdp', offset + bad, 'NUL or bare CR', 'text');
  const text = fromUtf8(content, 'sdp');
  const type = text.charAt(0);
  if (!/[a-z]/.test(type)) fail('sdp', offset, 'not a type letter', 'a lower-case letter');
  return { type, value: text.slice(2) };
}

function requireSessionLines(session: readonly SdpLine[]): void {
  const first = session[0];
  if (first?.type !== 'v' || first.value.trim() !== '0') fail('sdp.v', 0, 'wrong or missing version', 'v=0 first');
  for (const type of ['o', 's']) {
    if (!session.some((line) => line.type === type)) fail(`sdp.${type}`, 0, 'missing line', `${type}= in the session`);
  }
}

function fail(
  field: string,
  offset: number | undefined,
  problem: string,
  expected: string,
  kind: ProtocolErrorKind = 'malformed',
): never {
  throw new ProtocolError(kind, problem, {
    field,
    expected,
    hint: { sip: 400 },
    ...(offset === undefined ? {} : { offset }),
  });
}

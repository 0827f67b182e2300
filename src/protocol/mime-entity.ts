import { concatBytes, fromAscii, fromBase64, fromUtf8, toBase64, utf8 } from '../base/bytes.ts';
import { ProtocolError } from '../base/errors.ts';

export interface MimeHeader {
  readonly name: string;
  readonly value: string;
}

/** A header block and what it describes. `body` is decoded: the transfer encoding is a matter of the wire. */
export interface MimeEntity {
  readonly headers: readonly MimeHeader[];
  readonly body: Uint8Array;
}

export const mimeEntityLimits = { maxHeaders: 64, maxHeaderOctets: 16 * 1024 } as const;

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const namePattern = /^[!-9;-~]+$/;

/**
 * Reads header lines up to the empty line, and decodes the body by its Content-Transfer-Encoding (RFC 2045 6):
 * `7bit`, `8bit`, `binary` or `base64`. Line ends of LF alone are accepted.
 * @param base offset of `bytes` in the whole input
 * @throws ProtocolError `malformed` (hint SIP 400); `unsupported` (hint SIP 415) for another transfer encoding
 */
export function decodeMimeEntity(bytes: Uint8Array, field: string, base = 0): MimeEntity {
  const { headers, bodyOffset } = readHeaders(bytes, field, base);
  const raw = bytes.subarray(bodyOffset);
  const encoding = (headerValue(headers, 'Content-Transfer-Encoding') ?? '8bit').trim().toLowerCase();
  switch (encoding) {
    case '7bit':
    case '8bit':
    case 'binary':
      return { headers, body: raw };
    case 'base64':
      return { headers, body: decodeBase64(raw, field) };
    default:
      throw new ProtocolError('unsupported', 'transfer encoding not supported', {
        field: `${field}.Content-Transfer-Encoding`,
        offset: base,
        expected: 'binary, 8bit, 7bit or base64',
        hint: { sip: 415 },
      });
  }
}

/** Writes the entity with CRLF line ends; a Content-Transfer-Encoding header of `base64` encodes the body. */
export function encodeMimeEntity(entity: MimeEntity): Uint8Array {
  const isBase64 = headerValue(entity.headers, 'Content-Transfer-Encoding')?.trim().toLowerCase() === 'base64';
  const lines = entity.headers.map(({ name, value }) => {
    if (!namePattern.test(name) || /\p{Cc}/u.test(value)) {
      throw new ProtocolError('local', 'cannot be written', { field: `mime.${name}`, expected: 'one header line' });
    }
    return `${name}: ${value}\r\n`;
  });
  return concatBytes(utf8(`${lines.join('')}\r\n`), isBase64 ? encodeBase64(entity.body) : entity.body);
}

/** The value of the first header of that name, whatever the case of its letters. */
export function headerValue(headers: readonly MimeHeader[], name: string): string | undefined {
  return headers.find((header) => header.name.toLowerCase() === name.toLowerCase())?.value;
}

function readHeaders(bytes: Uint8Array, field: string, base: number) {
  const headers: MimeHeader[] = [];
  const contentNames = new Set<string>();
  let offset = 0;
  const fail = (problem: string, expected: string): never => {
    throw new ProtocolError('malformed', problem, { field, offset: base + offset, expected, hint: { sip: 400 } });
  };
  while (offset < bytes.length) {
    const next = nextHeaderOffset(bytes, offset);
    const line = bytes.subarray(offset, next);
    if (isEmptyLine(line)) return { headers, bodyOffset: next };
    if (next > mimeEntityLimits.maxHeaderOctets) fail('headers too long', `${mimeEntityLimits.maxHeaderOctets} octets`);
    if (headers.length === mimeEntityLimits.maxHeaders) {
      fail('too many headers', `at most ${mimeEntityLimits.maxHeaders}`);
    }
    const header = readHeader(line, field) ?? fail('not a header line', 'name: value');
    const name = header.name.toLowerCase();
    // Two different Content-Type lines would let two readers see two different messages.
    if (name.startsWith('content-') && contentNames.has(name)) fail('header given twice', 'one header of each name');
    contentNames.add(name);
    headers.push(header);
    offset = next;
  }
  return { headers, bodyOffset: bytes.length };
}

/** RFC 5322 2.2.3: a line that begins with white space continues the one before. */
function nextHeaderOffset(bytes: Uint8Array, start: number): number {
  let next = start;
  do {
    const end = bytes.indexOf(lineFeed, next);
    if (end < 0) return bytes.length;
    next = end + 1;
  } while (!isEmptyLine(bytes.subarray(start, next)) && (bytes[next] === 0x20 || bytes[next] === 0x09));
  return next;
}

function isEmptyLine(line: Uint8Array): boolean {
  return (
    (line.length === 1 && line[0] === lineFeed) ||
    (line.length === 2 && line[0] === carriageReturn && line[1] === lineFeed)
  );
}

function readHeader(line: Uint8Array, field: string): MimeHeader | undefined {
  const text = fromUtf8(line, field)
    .replaceAll(/\r?\n(?=[ \t])/g, '')
    .replace(/\r?\n$/, '');
  const colon = text.indexOf(':');
  const name = text.slice(0, Math.max(colon, 0)).trimEnd();
  if (!namePattern.test(name)) return undefined;
  const value = trimBlanks(text.slice(colon + 1));
  return /[^\P{Cc}\t]/u.test(value) ? undefined : { name, value };
}

/** Space and tab only; a regular expression would take time by the square of inner blanks. */
function trimBlanks(text: string): string {
  const isBlank = (at: number): boolean => text[at] === ' ' || text[at] === '\t';
  let start = 0;
  let end = text.length;
  while (isBlank(start)) start++;
  while (end > start && isBlank(end - 1)) end--;
  return text.slice(start, end);
}

function decodeBase64(raw: Uint8Array, field: string): Uint8Array {
  try {
    return fromBase64(fromAscii(raw, field), field);
  } catch (cause) {
    throw new ProtocolError('malformed', 'not base64', { field, expected: 'base64', hint: { sip: 400 }, cause });
  }
}

/** RFC 2045 6.8: lines of at most 76 characters. */
function encodeBase64(body: Uint8Array): Uint8Array {
  return utf8((toBase64(body).match(/.{1,76}/g) ?? []).join('\r\n'));
}

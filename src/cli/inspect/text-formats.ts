import { TreeReader, type ReadTree } from '../../base/tree-reader.ts';
import { headerOf, indexOfText, peekLine, readHeaderLines, type HeaderList } from './lines.ts';

/** A message with headers: SIP, HTTP, a MIME entity or CPIM. */
export interface HeadedMessage extends ReadTree {
  readonly headers: HeaderList;
  /** As far as Content-Length and the input go. */
  readonly body: Uint8Array;
  /** What stands behind the body that Content-Length gives; of a stream, the next message. */
  readonly rest: Uint8Array;
}

/** Start line, headers, body (RFC 3261 7, RFC 9112 2.1). */
export function headedTree(bytes: Uint8Array, name: string, hasStartLine: boolean): HeadedMessage {
  let headers: HeaderList = [];
  let body: Uint8Array = new Uint8Array();
  let rest: Uint8Array = new Uint8Array();
  const read = TreeReader.read(bytes, name, (reader) => {
    const line = hasStartLine ? peekLine(reader) : undefined;
    if (line !== undefined) reader.span(line.octets, 'start line', line.text);
    headers = reader.group('headers', () => readHeaderLines(reader));
    const claimed = headerOf(headers, 'content-length', 'l');
    const length = claimed !== undefined && /^\d{1,9}$/.test(claimed) ? Number(claimed) : undefined;
    const left = reader.peek();
    body = left.subarray(0, length);
    rest = left.subarray(body.length);
    if (body.length > 0) reader.span(body.length, 'body');
    if (length !== undefined && length > left.length) {
      reader.stop('body', `Content-Length says ${length} octets, ${left.length} are there`, `${length} octets`);
    }
    if (rest.length > 0) reader.span(rest.length, 'behind the body');
  });
  return { ...read, headers, body, rest };
}

/** `message/cpim` (RFC 3862): message headers, then a MIME entity. */
export function cpimTree(bytes: Uint8Array): ReadTree & { readonly headers: HeaderList; readonly content: Uint8Array } {
  let headers: HeaderList = [];
  let content: Uint8Array = new Uint8Array();
  const read = TreeReader.read(bytes, 'CPIM', (reader) => {
    reader.group('message headers', () => readHeaderLines(reader));
    if (reader.isAtEnd) reader.stop('content', 'ends with the message headers', 'MIME headers and content');
    headers = reader.group('content headers', () => readHeaderLines(reader));
    content = reader.peek();
    if (content.length > 0) reader.span(content.length, 'content');
  });
  return { ...read, headers, content };
}

export interface MultipartPart {
  readonly headers: HeaderList;
  readonly body: Uint8Array;
}

/** A multipart body (RFC 2046 5.1). */
export function multipartTree(
  bytes: Uint8Array,
  boundary: string,
): ReadTree & { readonly parts: readonly MultipartPart[] } {
  const parts: MultipartPart[] = [];
  const read = TreeReader.read(bytes, 'multipart', (reader) => {
    const delimiter = `--${boundary}`;
    const first = indexOfText(bytes, delimiter);
    if (first < 0) reader.stop('delimiter', 'the boundary stands nowhere', delimiter);
    if (first > 0) reader.span(first, 'preamble');
    for (;;) {
      const line = peekLine(reader);
      if (line === undefined) {
        reader.stop('delimiter', 'ends without a closing delimiter', `${delimiter}--`);
        return;
      }
      reader.span(line.octets, 'delimiter', line.text);
      if (line.text.startsWith(`${delimiter}--`)) break;
      const next = indexOfText(reader.peek(), `\n${delimiter}`);
      // The line end before a delimiter belongs to it.
      const length = next < 0 ? reader.remaining : next + 1;
      reader.within(length, `part ${parts.length + 1}`, (part) => parts.push(readPart(part, next >= 0)));
    }
    if (!reader.isAtEnd) reader.span(reader.remaining, 'epilogue');
  });
  return { ...read, parts };
}

function readPart(part: TreeReader, hasDelimiter: boolean): MultipartPart {
  const headers = part.group('headers', () => readHeaderLines(part));
  const left = part.peek();
  const lineEnd = !hasDelimiter ? 0 : left.at(-2) === 0x0d ? 2 : 1;
  const body = left.subarray(0, Math.max(left.length - lineEnd, 0));
  if (body.length > 0) part.span(body.length, 'body');
  if (!part.isAtEnd) part.span(part.remaining, 'line end of the delimiter');
  return { headers, body };
}

export interface MsrpBody {
  readonly headers: HeaderList;
  readonly body: Uint8Array;
}

/** MSRP frames one after another (RFC 4975 9). */
export function msrpTree(bytes: Uint8Array): ReadTree & { readonly bodies: readonly MsrpBody[] } {
  const bodies: MsrpBody[] = [];
  const read = TreeReader.read(bytes, 'MSRP', (reader) => {
    for (let index = 1; !reader.isAtEnd; index++) {
      reader.group(`frame ${index}`, () => {
        const frame = readFrame(reader);
        if (frame !== undefined) bodies.push(frame);
      });
    }
  });
  return { ...read, bodies };
}

const flagTexts: Readonly<Record<string, string>> = {
  $: 'the message ends here',
  '+': 'more chunks follow',
  '#': 'the sender gave the message up',
};

function readFrame(reader: TreeReader): MsrpBody | undefined {
  const line = peekLine(reader);
  const transaction = /^MSRP (\S+) /.exec(line?.text ?? '')?.[1];
  if (line === undefined || transaction === undefined) {
    return reader.stop('start line', 'not MSRP', 'MSRP, transaction id, method or status');
  }
  reader.span(line.octets, 'start line', line.text);
  const endLine = `-------${transaction}`;
  const end = indexOfText(reader.peek(), `\n${endLine}`);
  const frame = reader.peek().subarray(0, end < 0 ? undefined : end + 1);
  const headers: HeaderList = [];
  for (let header = peekLine(reader); header !== undefined; header = peekLine(reader)) {
    if (header.text === '' || header.text.startsWith(endLine)) break;
    const colon = header.text.indexOf(':');
    const name = header.text.slice(0, Math.max(colon, 0));
    const value = header.text.slice(colon + 1).trim();
    headers.push({ name, value });
    reader.span(header.octets, name === '' ? 'not a header line' : name, value);
  }
  const empty = peekLine(reader);
  let body: Uint8Array | undefined;
  if (empty?.text === '') {
    reader.span(empty.octets, 'empty line');
    const rest = end < 0 ? reader.peek() : reader.peek().subarray(0, frame.length - headerOctets(frame));
    const lineEnd = end < 0 ? 0 : rest.at(-2) === 0x0d ? 2 : 1;
    body = rest.subarray(0, Math.max(rest.length - lineEnd, 0));
    if (body.length > 0) reader.span(body.length, 'body');
    if (rest.length > body.length) reader.span(rest.length - body.length, 'line end of the end-line');
  }
  const closing = peekLine(reader);
  if (closing?.text.startsWith(endLine) !== true) return reader.stop('end-line', 'missing', `${endLine} and $, + or #`);
  reader.span(
    closing.octets,
    'end-line',
    closing.text,
    flagTexts[closing.text.slice(endLine.length)] ?? 'unknown flag',
  );
  return body === undefined ? undefined : { headers, body };
}

/** Octets of the header lines and the empty line that opens a body. */
function headerOctets(frame: Uint8Array): number {
  const crlf = indexOfText(frame, '\r\n\r\n');
  const lf = indexOfText(frame, '\n\n');
  if (crlf >= 0 && (lf < 0 || crlf < lf)) return crlf + 4;
  return lf < 0 ? frame.length : lf + 2;
}

const sdpNames: Readonly<Record<string, string>> = {
  v: 'version',
  o: 'origin',
  s: 'session name',
  i: 'information',
  u: 'URI',
  e: 'email address',
  p: 'phone number',
  c: 'connection data',
  b: 'bandwidth',
  t: 'time',
  r: 'repeat times',
  z: 'time zones',
  k: 'encryption key',
  a: 'attribute',
  m: 'media description',
};

/** Keys may stand in clear in k= (RFC 8866 5.12), a=crypto (RFC 4568) and a=key-mgmt: what of such a line is shown. */
function hiddenKeyOf(type: string, value: string): { readonly shown: string; readonly meaning: string } | undefined {
  if (type === 'k') return { shown: value.split(':')[0] ?? '', meaning: 'encryption key, not shown' };
  const name = /^(?:crypto:\d* *\S*|key-mgmt: ?\S*)/.exec(value)?.[0];
  if (type !== 'a' || name === undefined) return undefined;
  const isMikey = value.startsWith('key-mgmt');
  return { shown: name, meaning: isMikey ? 'attribute; its data stand below' : 'attribute; its keys are not shown' };
}

export interface KeyManagementLine {
  readonly where: string;
  /** Lower case, for example `mikey`. */
  readonly protocol: string;
  readonly data: string;
}

/** SDP, or some lines of one (RFC 8866 5), with what its key management lines carry (RFC 4567 3.1). */
export function sdpTree(bytes: Uint8Array): ReadTree & { readonly keyManagement: readonly KeyManagementLine[] } {
  const keyManagement: KeyManagementLine[] = [];
  const read = TreeReader.read(bytes, 'SDP', (reader) => {
    let section = 'session level';
    let media = 0;
    let number = 0;
    for (let line = peekLine(reader); line !== undefined; line = peekLine(reader)) {
      number++;
      const { type = '', value = '' } = /^\s*(?<type>[a-zA-Z])=(?<value>.*)$/.exec(line.text)?.groups ?? {};
      if (type === 'm') section = `media ${++media} (${value.split(' ')[0] ?? ''})`;
      const entry = /^key-mgmt: ?(\S+) +(\S+)\s*$/.exec(value);
      if (type === 'a' && entry !== null) {
        const [, protocol = '', data = ''] = entry;
        keyManagement.push({ where: `line ${number}, ${section}`, protocol: protocol.toLowerCase(), data });
      }
      const hidden = hiddenKeyOf(type, value);
      if (hidden !== undefined) reader.span(line.octets, `${type}=`, hidden.shown, hidden.meaning);
      else if (line.text.trim() === '') reader.span(line.octets, 'empty line');
      else if (type === '') reader.span(line.octets, 'not a line of SDP', line.text);
      else reader.span(line.octets, `${type}=`, value, sdpNames[type] ?? 'unknown type letter');
    }
  });
  return { ...read, keyManagement };
}

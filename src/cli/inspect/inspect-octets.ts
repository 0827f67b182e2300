import { ProtocolError } from '../../base/errors.ts';
import { utf8 } from '../../base/bytes.ts';
import { TreeReader, type ReadingStop } from '../../base/tree-reader.ts';
import { readAuthEnveloped } from '../../protocol/cms/index.ts';
import { decodeCpim } from '../../protocol/cpim/index.ts';
import { decodeImdn } from '../../protocol/imdn/index.ts';
import {
  inspectLonePayload,
  inspectMessage,
  type MikeyInspection,
  type MikeyInspectionOptions,
} from '../../protocol/mikey/inspect/index.ts';
import { decodeMultipart, parseMediaType } from '../../protocol/mime/index.ts';
import { decodeFrames } from '../../protocol/msrp/index.ts';
import { parseSdp } from '../../protocol/sdp/index.ts';
import { parseSipMessage } from '../../protocol/sip/message.ts';
import { derTree } from './cms-tree.ts';
import type { InspectedItem } from './item.ts';
import { headerOf, type HeaderList } from './lines.ts';
import { cpimTree, headedTree, msrpTree, multipartTree, sdpTree } from './text-formats.ts';
import { firstLine, formatOf, isAlready, isBinary, octetsOfText, type Format } from './recognise.ts';
import { readBase64Text, type TextOctets } from './text-octets.ts';

const maxDepth = 8;

/** Carries what every part of an input is read with. */
interface Reading {
  readonly options: MikeyInspectionOptions;
  readonly onMikey: (message: Uint8Array) => void;
  readonly where: string;
  readonly depth: number;
}

const inside = (reading: Reading, where: string): Reading => ({ ...reading, where, depth: reading.depth + 1 });

/**
 * Finds out what octets are and reads them, with everything that they contain. Never throws for its input.
 * @param onMikey gets each MIKEY message as it is found.
 */
export function inspectOctets(
  bytes: Uint8Array,
  options: MikeyInspectionOptions,
  where: string,
  format?: Format,
  onMikey: (message: Uint8Array) => void = () => undefined,
): InspectedItem {
  return inspectAny(bytes, { options, where, onMikey, depth: 0 }, format);
}

function inspectAny(bytes: Uint8Array, reading: Reading, given?: Format): InspectedItem {
  if (reading.depth > maxDepth) return unknownItem(bytes, reading, 'nested too deep', `at most ${maxDepth} levels`);
  const format = given ?? formatOf(bytes);
  // Binary formats may be written as text.
  if (format === undefined || (given !== undefined && isBinary(given))) {
    const decoded = given !== undefined && isAlready(bytes, given) ? undefined : octetsOfText(bytes);
    if (decoded !== undefined) return inspectDecoded(decoded, bytes, reading, given);
  }
  return format === undefined
    ? unknownItem(
        bytes,
        reading,
        'begins like nothing known',
        'MIKEY, a ticket, CMS, SDP, SIP, HTTP, MIME, CPIM or MSRP',
      )
    : readers[format](bytes, reading);
}

function inspectDecoded(decoded: TextOctets, text: Uint8Array, reading: Reading, given?: Format): InspectedItem {
  const where = `${reading.where}, ${decoded.encoding}`;
  const format = given ?? formatOf(decoded.bytes);
  if (format === undefined) return unknownItem(text, reading, 'begins like nothing known', 'MIKEY, a ticket or CMS');
  const item = readers[format](decoded.bytes, { ...reading, where });
  if (decoded.stop === undefined) return item;
  const { offset, problem, expected } = decoded.stop;
  const stop: ReadingStop = { offset, field: `${decoded.encoding} text`, problem, expected };
  return { ...item, stops: [stop, ...item.stops] };
}

const readers: Readonly<Record<Format, (bytes: Uint8Array, reading: Reading) => InspectedItem>> = {
  mikey: (bytes, reading) => {
    reading.onMikey(bytes);
    return mikeyItem('MIKEY message', bytes, reading, inspectMessage(bytes, reading.options));
  },
  ticket: (bytes, reading) => loneItem('MIKEY ticket', 'TICKET', false, bytes, reading),
  'ticket-payload': (bytes, reading) => loneItem('TICKET payload', 'TICKET', true, bytes, reading),
  policy: (bytes, reading) => loneItem('MIKEY ticket policy', 'TP', false, bytes, reading),
  'policy-payload': (bytes, reading) => loneItem('TP payload', 'TP', true, bytes, reading),
  cms: (bytes, { where }) => ({
    where,
    format: 'CMS',
    octets: bytes.length,
    ...derTree(bytes),
    ...refusalOf(() => readAuthEnveloped(bytes)),
    contains: [],
  }),
  sip: (bytes, reading) => headedItem('SIP message', bytes, reading, () => parseSipMessage(bytes)),
  http: (bytes, reading) => headedItem('HTTP message', bytes, reading),
  sdp: sdpItem,
  mime: mimeItem,
  cpim: cpimItem,
  msrp: msrpItem,
  imdn: (bytes, { where }) => ({
    where,
    format: 'IMDN',
    octets: bytes.length,
    ...TreeReader.read(bytes, 'IMDN', (reader) => reader.text(bytes.length, 'XML')),
    ...refusalOf(() => decodeImdn(bytes)),
    contains: [],
  }),
};

function refusalOf(decode: () => unknown): { readonly refusal?: string } {
  try {
    decode();
    return {};
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return { refusal: error.message };
  }
}

function mikeyItem(format: string, bytes: Uint8Array, { where }: Reading, found: MikeyInspection): InspectedItem {
  return { where, format, octets: bytes.length, ...found, contains: [] };
}

function loneItem(
  format: string,
  kind: 'TICKET' | 'TP',
  hasNextPayload: boolean,
  bytes: Uint8Array,
  reading: Reading,
): InspectedItem {
  return mikeyItem(format, bytes, reading, inspectLonePayload(bytes, kind, hasNextPayload, reading.options));
}

function unknownItem(bytes: Uint8Array, { where }: Reading, problem: string, expected: string): InspectedItem {
  const { tree } = TreeReader.read(bytes, 'input', (reader) => reader.span(bytes.length, 'not read'));
  const stop = { offset: 0, field: 'input', problem, expected };
  return { where, format: 'unknown', octets: bytes.length, tree, stops: [stop], contains: [] };
}

function headedItem(format: string, bytes: Uint8Array, reading: Reading, decode?: () => unknown): InspectedItem {
  const { tree, stops, headers, body, rest } = headedTree(bytes, format, true);
  const isStream = rest.some((octet) => octet !== 0x0d && octet !== 0x0a);
  return {
    where: reading.where,
    format,
    octets: bytes.length,
    tree,
    stops,
    ...(decode === undefined ? {} : refusalOf(decode)),
    contains: [
      ...contentItems(headers, body, inside(reading, 'body')),
      ...(isStream ? [inspectAny(rest, inside(reading, 'behind the body'))] : []),
    ],
  };
}

/** What a body holds, by its Content-Type. A body of an unknown type is not looked into. */
function contentItems(headers: HeaderList, raw: Uint8Array, reading: Reading): readonly InspectedItem[] {
  if (raw.length === 0) return [];
  const type = headerOf(headers, 'content-type', 'c');
  const media = type?.split(';')[0]?.trim().toLowerCase() ?? '';
  const encoding = headerOf(headers, 'content-transfer-encoding')?.trim().toLowerCase();
  const named = { ...reading, where: `${reading.where}${media === '' ? '' : ` (${media})`}` };
  const decoded = encoding === 'base64' ? readBase64Text(new TextDecoder('utf-8').decode(raw)) : undefined;
  const body = decoded?.bytes ?? raw;
  if (media.startsWith('multipart/')) return [multipartItem(body, type ?? '', named)];
  const format = mediaFormats[media];
  if (format === undefined) return [];
  if (decoded !== undefined) return [inspectDecoded(decoded, raw, named, format)];
  return [inspectAny(body, named, format)];
}

const mediaFormats: Readonly<Record<string, Format>> = {
  'application/mikey': 'mikey',
  'application/sdp': 'sdp',
  'application/pkcs7-mime': 'cms',
  'application/cms': 'cms',
  'message/cpim': 'cpim',
  'message/imdn+xml': 'imdn',
  'message/sip': 'sip',
};

function multipartItem(bytes: Uint8Array, contentType: string, reading: Reading): InspectedItem {
  const boundary = /;\s*boundary\s*=\s*(?:"([^"]*)"|([^\s;]+))/i.exec(contentType);
  const name = boundary?.[1] ?? boundary?.[2];
  if (name === undefined || name === '') return unknownItem(bytes, reading, 'no boundary', 'a boundary parameter');
  return partsItem(bytes, name, reading, () => decodeMultipart(parseMediaType(contentType), bytes));
}

function partsItem(bytes: Uint8Array, boundary: string, reading: Reading, decode: () => unknown): InspectedItem {
  if (reading.depth > maxDepth) return unknownItem(bytes, reading, 'nested too deep', `at most ${maxDepth} levels`);
  const { tree, stops, parts } = multipartTree(bytes, boundary);
  return {
    where: reading.where,
    format: 'MIME multipart',
    octets: bytes.length,
    tree,
    stops,
    ...refusalOf(decode),
    contains: parts.flatMap(({ headers, body }, index) =>
      contentItems(headers, body, inside(reading, `part ${index + 1}`)),
    ),
  };
}

/** A MIME entity, or a multipart body whose boundary only its first line tells. */
function mimeItem(bytes: Uint8Array, reading: Reading): InspectedItem {
  const boundary = /^--(\S+)$/.exec(firstLine(bytes))?.[1];
  if (boundary !== undefined) {
    const contentType = `multipart/mixed;boundary="${boundary.replaceAll(/["\\]/g, '\\$&')}"`;
    return partsItem(bytes, boundary, reading, () => decodeMultipart(parseMediaType(contentType), bytes));
  }
  const { tree, stops, headers, body } = headedTree(bytes, 'MIME entity', false);
  return {
    where: reading.where,
    format: 'MIME entity',
    octets: bytes.length,
    tree,
    stops,
    contains: contentItems(headers, body, inside(reading, 'body')),
  };
}

function cpimItem(bytes: Uint8Array, reading: Reading): InspectedItem {
  const { tree, stops, headers, content } = cpimTree(bytes);
  return {
    where: reading.where,
    format: 'CPIM',
    octets: bytes.length,
    tree,
    stops,
    ...refusalOf(() => decodeCpim(bytes)),
    contains: contentItems(headers, content, inside(reading, 'content')),
  };
}

function msrpItem(bytes: Uint8Array, reading: Reading): InspectedItem {
  const { tree, stops, bodies } = msrpTree(bytes);
  return {
    where: reading.where,
    format: 'MSRP',
    octets: bytes.length,
    tree,
    stops,
    ...refusalOf(() => decodeFrames(bytes)),
    contains: bodies.flatMap(({ headers, body }, index) =>
      contentItems(headers, body, inside(reading, `body ${index + 1}`)),
    ),
  };
}

function sdpItem(bytes: Uint8Array, reading: Reading): InspectedItem {
  const { tree, stops, keyManagement } = sdpTree(bytes);
  const isWhole = /^\s*v=0/.test(firstLine(bytes));
  return {
    where: reading.where,
    format: isWhole ? 'SDP' : 'lines of an SDP',
    octets: bytes.length,
    tree,
    stops,
    ...(isWhole ? refusalOf(() => parseSdp(bytes)) : {}),
    contains: keyManagement.map(({ where, protocol, data }) => {
      const part = inside(reading, `a=key-mgmt of ${where}`);
      if (protocol === 'mikey') return inspectAny(utf8(data), part, 'mikey');
      return unknownItem(utf8(data), part, `protocol ${protocol} is not read here`, 'mikey');
    }),
  };
}

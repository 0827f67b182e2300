import { SaxesParser } from 'saxes';
import { fromUtf8, utf8 } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';

export const bootstrappingContentType = 'application/vnd.3gpp.bsf+xml';
export const bootstrappingLimits = { maxOctets: 8 * 1024, maxDepth: 4 } as const;

const namespace = 'uri:3gpp-gba';
const fields = ['btid', 'lifetime'] as const;
type Field = (typeof fields)[number];

/** What a BSF answers to a bootstrapping that worked (TS 24.109 annex C). */
export interface BootstrappingInfo {
  readonly btid: string;
  /** When the key ends, milliseconds since 1970. */
  readonly lifetime: number;
}

export function encodeBootstrappingInfo({ btid, lifetime }: BootstrappingInfo): Uint8Array {
  return utf8(
    [
      '<?xml version="1.0" encoding="UTF-8"?>\r\n',
      `<BootstrappingInfo xmlns="${namespace}">`,
      `<btid>${escapeXml(btid)}</btid>`,
      `<lifetime>${new Date(lifetime).toISOString()}</lifetime>`,
      '</BootstrappingInfo>\r\n',
    ].join(''),
  );
}

/**
 * Document types, and with them every entity of one's own, are refused; elements that are not known are passed over.
 * @throws ProtocolError `malformed`
 */
export function decodeBootstrappingInfo(bytes: Uint8Array): BootstrappingInfo {
  if (bytes.length > bootstrappingLimits.maxOctets) {
    fail('too large', 'document', `at most ${bootstrappingLimits.maxOctets} octets`);
  }
  const texts = walk(fromUtf8(bytes, 'gba.bootstrappingInfo'));
  const btid = texts.get('btid')?.trim() ?? '';
  const lifetime = texts.get('lifetime')?.trim() ?? '';
  if (btid === '') fail('missing', 'btid', 'a B-TID');
  return { btid, lifetime: readDateTime(lifetime) };
}

function walk(text: string): ReadonlyMap<Field, string> {
  const parser = new SaxesParser({ xmlns: true });
  const texts = new Map<Field, string>();
  const path: (Field | undefined)[] = [];
  parser.on('doctype', () => fail('document type', 'document', 'none'));
  parser.on('error', () => fail('not well formed', 'document', 'XML'));
  parser.on('opentag', (tag) => {
    if (path.length >= bootstrappingLimits.maxDepth) fail('too deep', 'document', 'two levels');
    const isRoot = path.length === 0;
    if (isRoot && !(tag.local === 'BootstrappingInfo' && tag.uri === namespace)) {
      fail('another document', 'root', 'BootstrappingInfo of 3GPP');
    }
    const field = path.length === 1 && tag.uri === namespace ? fields.find((name) => name === tag.local) : undefined;
    if (field !== undefined) {
      if (texts.has(field)) fail('given twice', field, 'each element once');
      texts.set(field, '');
    }
    path.push(field);
  });
  const add = (piece: string): void => {
    const field = path.at(-1);
    if (field !== undefined) texts.set(field, (texts.get(field) ?? '') + piece);
  };
  parser.on('text', add);
  parser.on('cdata', add);
  parser.on('closetag', () => void path.pop());
  parser.write(text).close();
  return texts;
}

/** xs:dateTime with a time zone; without one nobody knows when the key ends. */
function readDateTime(text: string): number {
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/.test(text)
    ? Date.parse(text)
    : Number.NaN;
  if (Number.isNaN(time)) fail('not a date', 'lifetime', 'date, time and time zone');
  return time;
}

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

function escapeXml(text: string): string {
  return text.replace(/[&<>]/g, (character) => escapes[character] ?? character);
}

function fail(problem: string, field: string, expected: string): never {
  throw new ProtocolError('malformed', problem, { field: `gba.bootstrappingInfo.${field}`, expected });
}

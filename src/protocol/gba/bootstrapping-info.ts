import { SaxesParser } from 'saxes';
import { fromUtf8, utf8 } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';

export const bootstrappingInfoLimits = { maxOctets: 16 * 1024, maxDepth: 4, maxBtidCharacters: 256 } as const;

const namespace = 'uri:3gpp-gba';
const root = 'BootstrappingInfo';

/** What the BSF tells the UE when it has proven itself (TS 24.109 annex C). */
export interface BootstrappingInfo {
  /** B-TID: names Ks towards every NAF. Printable ASCII without spaces. */
  readonly btid: string;
  /** End of the life of Ks, milliseconds since 1970. */
  readonly lifetime: number;
}

/** Writes an `application/vnd.3gpp.bsf+xml` body. */
export function encodeBootstrappingInfo({ btid, lifetime }: BootstrappingInfo): Uint8Array {
  return utf8(
    [
      '<?xml version="1.0" encoding="UTF-8"?>\r\n',
      `<${root} xmlns="${namespace}">`,
      `<btid>${escapeXml(btid)}</btid>`,
      `<lifetime>${new Date(lifetime).toISOString()}</lifetime>`,
      `</${root}>\r\n`,
    ].join(''),
  );
}

/**
 * Reads an `application/vnd.3gpp.bsf+xml` body. Document types, and with them every entity of one's own, are refused; elements
 * of other namespaces are passed over.
 * @throws ProtocolError `malformed`
 */
export function decodeBootstrappingInfo(bytes: Uint8Array): BootstrappingInfo {
  const { maxOctets, maxBtidCharacters } = bootstrappingInfoLimits;
  if (bytes.length > maxOctets) fail('too large', '', `at most ${maxOctets} octets`);
  const texts = readTexts(fromUtf8(bytes, 'gba.bootstrappingInfo'));
  const btid = texts.get(`${root}/btid`)?.trim() ?? '';
  const lifetime = texts.get(`${root}/lifetime`)?.trim() ?? '';
  if (!/^[!-~]+$/.test(btid) || btid.length > maxBtidCharacters) {
    fail('missing or not readable', '.btid', `at most ${maxBtidCharacters} visible ASCII characters`);
  }
  // A time without a zone would be read by the clock of this machine.
  const hasZone = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/.test(lifetime);
  const end = hasZone ? Date.parse(lifetime) : Number.NaN;
  if (Number.isNaN(end)) fail('missing or not a time', '.lifetime', 'an RFC 3339 time');
  return { btid, lifetime: end };
}

/** The text directly inside each element of the namespace, by its path; an element that stands twice is refused. */
function readTexts(xml: string): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  const path: string[] = [];
  const parser = new SaxesParser({ xmlns: true });
  const addText = (text: string): void => {
    const at = path.join('/');
    texts.set(at, (texts.get(at) ?? '') + text);
  };
  parser.on('error', (cause) => fail('not well-formed XML', '', 'a BootstrappingInfo document', cause));
  parser.on('doctype', () => fail('has a document type', '', 'no DOCTYPE'));
  parser.on('opentag', ({ uri, local }) => {
    path.push(uri === namespace ? local : '*');
    if (path.length > bootstrappingInfoLimits.maxDepth) fail('nested too deeply', '', 'a BootstrappingInfo document');
    const at = path.join('/');
    if (!at.includes('*') && texts.has(at)) fail('an element stands twice', '', 'each element once');
    texts.set(at, texts.get(at) ?? '');
  });
  parser.on('text', addText);
  parser.on('cdata', addText);
  parser.on('closetag', () => path.pop());
  parser.write(xml).close();
  return texts;
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function fail(problem: string, field: string, expected: string, cause?: unknown): never {
  throw new ProtocolError('malformed', problem, { field: `gba.bootstrappingInfo${field}`, expected, cause });
}

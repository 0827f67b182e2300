import { utf8 } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { childText, escapeXml, readXml, type XmlElement } from '../xml/index.ts';

export const bootstrappingInfoLimits = { maxOctets: 16 * 1024, maxDepth: 4, maxBtidCharacters: 256 } as const;

const namespace = 'uri:3gpp-gba';
const root = 'BootstrappingInfo';
const format = 'gba.bootstrappingInfo';
const mostElements = 100;

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
      `<btid>${escapeXml(btid, format)}</btid>`,
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
  const { maxOctets, maxDepth, maxBtidCharacters } = bootstrappingInfoLimits;
  const document = readXml(bytes, format, { octets: maxOctets, depth: maxDepth, elements: mostElements });
  if (document.name !== root || document.namespace !== namespace) fail('another document', '', `a ${root} document`);
  refuseTwins(document);
  const btid = childText(document, 'btid') ?? '';
  const lifetime = childText(document, 'lifetime') ?? '';
  if (!/^[!-~]+$/.test(btid) || btid.length > maxBtidCharacters) {
    fail('missing or not readable', '.btid', `at most ${maxBtidCharacters} visible ASCII characters`);
  }
  // A time without a zone would be read by the clock of this machine.
  const hasZone = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/.test(lifetime);
  const end = hasZone ? Date.parse(lifetime) : Number.NaN;
  if (Number.isNaN(end)) fail('missing or not a time', '.lifetime', 'an RFC 3339 time');
  return { btid, lifetime: end };
}

/** Two names or two ends could be read in two ways. */
function refuseTwins({ children }: XmlElement): void {
  const own = children.filter((child) => child.namespace === namespace).map(({ name }) => name);
  if (new Set(own).size < own.length) fail('an element stands twice', '', 'each element once');
}

function fail(problem: string, field: string, expected: string): never {
  throw new ProtocolError('malformed', problem, { field: `${format}${field}`, expected });
}

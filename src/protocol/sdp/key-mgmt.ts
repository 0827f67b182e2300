import { fromBase64, toBase64 } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { attributeValues } from './edit.ts';
import type { MediaSection, SdpLine, SessionDescription } from './session-description.ts';

/** What the `a=key-mgmt` lines of one stream carry (RFC 4567 clause 3.1). */
export interface KeyMgmt {
  /** Protocol identifiers in order, to be compared with the SDP IDs that MIKEY authenticates (RFC 4567 clause 4.1.4). */
  readonly protocols: readonly string[];
  /** The MIKEY message, decoded; undefined when only other protocols are offered. */
  readonly mikey: Uint8Array | undefined;
}

/**
 * Profile 3.2: the media level counts, else the session level when exactly one TCP/TLS/MSRP stream is without its own.
 * @throws ProtocolError `malformed`, hint SIP 488 (RFC 4567 clause 4.1.2), for broken or repeated MIKEY data.
 */
export function readKeyMgmt(section: MediaSection, description?: SessionDescription): KeyMgmt | undefined {
  const own = attributeValues(section.lines, 'key-mgmt');
  const values = own.length > 0 || description === undefined ? own : sessionLevel(section, description);
  if (values.length === 0) return undefined;
  const entries = values.map(readEntry);
  const mikey = entries.filter(({ protocol }) => protocol === 'mikey');
  if (mikey.length > 1) refuse('mikey given twice for one stream', 'one MIKEY message');
  return {
    protocols: entries.map(({ protocol }) => protocol),
    mikey: mikey[0] === undefined ? undefined : fromBase64Data(mikey[0].data),
  };
}

export function formatKeyMgmt(mikey: Uint8Array): string {
  return `mikey ${toBase64(mikey)}`;
}

function sessionLevel(section: MediaSection, { session, media }: SessionDescription): string[] {
  const candidates = media.filter(
    ({ lines }) => isTlsMsrp(lines[0]) && attributeValues(lines, 'key-mgmt').length === 0,
  );
  return candidates.length === 1 && candidates[0] === section ? attributeValues(session, 'key-mgmt') : [];
}

function isTlsMsrp(line: SdpLine | undefined): boolean {
  return line !== undefined && / TCP\/TLS\/MSRP /i.test(line.value);
}

function readEntry(text: string): { protocol: string; data: string } {
  const [, protocol, data] = /^ ?([^\s]+) +([^\s]+) *$/.exec(text) ?? [];
  if (protocol === undefined || data === undefined) refuse('not key management data', 'protocol and base64');
  return { protocol: protocol.toLowerCase(), data };
}

function fromBase64Data(data: string): Uint8Array {
  try {
    return fromBase64(data, 'sdp.key-mgmt');
  } catch (cause) {
    return refuse('not base64', 'base64 (RFC 4648)', cause);
  }
}

function refuse(problem: string, expected: string, cause?: unknown): never {
  throw new ProtocolError('malformed', problem, { field: 'sdp.key-mgmt', expected, hint: { sip: 488 }, cause });
}

import { ProtocolError } from '../../base/errors.ts';
import {
  attribute,
  attributeLine,
  attributeValues,
  connectionAddress,
  connectionLine,
  hasAttribute,
  mediaLine,
} from './edit.ts';
import { formatFingerprint, readFingerprint, type SdpFingerprint } from './fingerprint.ts';
import { formatKeyMgmt, readKeyMgmt } from './key-mgmt.ts';
import { formatMediaLine } from './media-line.ts';
import type { MediaSection, SdpLine, SessionDescription } from './session-description.ts';

export type MsrpProtocol = 'TCP/MSRP' | 'TCP/TLS/MSRP';
export type SetupRole = 'active' | 'passive' | 'actpass' | 'holdconn';
export type MediaDirection = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';

/** What one MSRP media section says (RFC 4975 clause 8, RFC 6135, RFC 6714, profile 2 and 3). */
export interface MsrpMedia {
  readonly protocol: MsrpProtocol;
  /** 0: the stream is refused or ended; 9: this side only connects. */
  readonly port: number;
  /** Of the `c=` line; '' only when the port is 0. */
  readonly address: string;
  /** MSRP URIs, the nearest first; empty only when the port is 0. */
  readonly path: readonly string[];
  /** Undefined: the RFC 4975 default, in which the offerer connects. */
  readonly setup: SetupRole | undefined;
  readonly fingerprints: readonly SdpFingerprint[];
  /** The MIKEY message of `a=key-mgmt:mikey`. */
  readonly keyMgmt: Uint8Array | undefined;
  /** Every key management protocol named for this stream, in order. */
  readonly keyMgmtProtocols: readonly string[];
  /** `a=3ge2ae` (TS 24.229 clause 7.5.2); unknown and contradictory values count as absent. */
  readonly e2ae: 'requested' | 'applied' | undefined;
  /** `a=msrp-cema` (RFC 6714). */
  readonly cema: boolean;
  readonly acceptTypes: readonly string[];
  readonly acceptWrappedTypes: readonly string[];
  /** Octets of the largest message that this side wants. */
  readonly maxSize: number | undefined;
  readonly direction: MediaDirection;
}

/** True for an `m=message` line over MSRP, also when it is refused with port 0. */
export function isMsrpMedia(section: MediaSection): boolean {
  const { media, protocol } = mediaLine(section);
  return media.toLowerCase() === 'message' && /^TCP\/(TLS\/)?MSRP$/i.test(protocol);
}

/** The first MSRP section whose port is not 0. */
export function findMsrpMedia(description: SessionDescription): MediaSection | undefined {
  return description.media.find((section) => isMsrpMedia(section) && mediaLine(section).port !== 0);
}

/**
 * @param description whose session level supplies `c=`, fingerprint, setup and key-mgmt that the section lacks.
 * @throws ProtocolError hint SIP 488 when the section is not MSRP or lacks or breaks what MSRP needs.
 */
export function readMsrpMedia(section: MediaSection, description?: SessionDescription): MsrpMedia {
  if (!isMsrpMedia(section)) refuse('sdp.m', 'not an MSRP stream', 'm=message with TCP/MSRP or TCP/TLS/MSRP');
  const { port, protocol } = mediaLine(section);
  const { lines } = section;
  const session = description?.session ?? [];
  const path = (attribute(lines, 'path') ?? '').split(' ').filter((uri) => uri !== '');
  const address = connectionAddress(section, description);
  if (port !== 0) {
    if (path.length === 0) refuse('sdp.path', 'missing', 'a=path with an MSRP URI');
    if (address === undefined) refuse('sdp.c', 'missing', 'a c= line');
  }
  if (!path.every((uri) => /^msrps?:\/\/[^\s/]+/i.test(uri))) refuse('sdp.path', 'not an MSRP URI', 'msrp: or msrps:');
  // RFC 8122 clause 5, RFC 4145 clause 4: both may stand at session level; the media level overrides.
  const fingerprints = inherited(lines, session, 'fingerprint');
  const keyMgmt = readKeyMgmt(section, description);
  return {
    protocol: protocol.toUpperCase() as MsrpProtocol,
    port,
    address: address ?? '',
    path,
    setup: readSetup(inherited(lines, session, 'setup')[0]),
    fingerprints: fingerprints.map(readFingerprint),
    keyMgmt: keyMgmt?.mikey,
    keyMgmtProtocols: keyMgmt?.protocols ?? [],
    e2ae: readIndicator(attributeValues(lines, '3ge2ae')),
    cema: hasAttribute(lines, 'msrp-cema'),
    acceptTypes: readList(attribute(lines, 'accept-types')),
    acceptWrappedTypes: readList(attribute(lines, 'accept-wrapped-types')),
    maxSize: readMaxSize(attribute(lines, 'max-size')),
    direction: readDirection(lines, session),
  };
}

export interface MsrpMediaOptions {
  readonly protocol: MsrpProtocol;
  readonly port: number;
  readonly address: string;
  readonly path: readonly string[];
  readonly setup: SetupRole;
  readonly acceptTypes: readonly string[];
  readonly acceptWrappedTypes?: readonly string[];
  readonly maxSize?: number;
  /** `a=msrp-cema`; on unless said otherwise. */
  readonly cema?: boolean;
  readonly fingerprints?: readonly SdpFingerprint[];
  readonly keyMgmt?: Uint8Array;
  readonly e2ae?: 'requested' | 'applied';
  /** `sendrecv` unless said otherwise. */
  readonly direction?: MediaDirection;
  /** Written last, for example the attributes of a file. */
  readonly more?: readonly SdpLine[];
}

/** Writes the lines in the order of the examples in profile 2.4 and 3.2. */
export function buildMsrpMedia(options: MsrpMediaOptions): MediaSection {
  const { protocol, port, address, path, setup, acceptTypes, acceptWrappedTypes, maxSize, keyMgmt, e2ae } = options;
  const lines = [
    { type: 'm', value: formatMediaLine({ media: 'message', port, protocol, formats: ['*'] }) },
    connectionLine(address),
    attributeLine('accept-types', acceptTypes.join(' ')),
  ];
  const add = (name: string, value?: string): unknown => lines.push(attributeLine(name, value));
  if (acceptWrappedTypes !== undefined) add('accept-wrapped-types', acceptWrappedTypes.join(' '));
  if (maxSize !== undefined) add('max-size', String(maxSize));
  add('path', path.join(' '));
  add('setup', setup);
  if (options.cema ?? true) add('msrp-cema');
  for (const fingerprint of options.fingerprints ?? []) add('fingerprint', formatFingerprint(fingerprint));
  if (keyMgmt !== undefined) add('key-mgmt', formatKeyMgmt(keyMgmt));
  if (e2ae !== undefined) add('3ge2ae', e2ae);
  if (options.direction !== undefined && options.direction !== 'sendrecv') add(options.direction);
  return { lines: [...lines, ...(options.more ?? [])] };
}

type Lines = MediaSection['lines'];

function inherited(lines: Lines, session: Lines, name: string): string[] {
  const own = attributeValues(lines, name);
  return own.length > 0 ? own : attributeValues(session, name);
}

function readSetup(value: string | undefined): SetupRole | undefined {
  const role = value?.trim().toLowerCase();
  if (role === undefined || role === 'active' || role === 'passive' || role === 'actpass' || role === 'holdconn') {
    return role;
  }
  return refuse('sdp.setup', 'unknown role', 'active, passive, actpass or holdconn');
}

// TS 24.229 clause 7.5.2: other values shall be ignored.
function readIndicator(values: readonly string[]): 'requested' | 'applied' | undefined {
  const known = new Set(values.map((value) => value.trim()).filter((value) => /^(requested|applied)$/.test(value)));
  if (known.size !== 1) return undefined;
  return known.has('applied') ? 'applied' : 'requested';
}

function readList(value: string | undefined): string[] {
  return (value ?? '').split(' ').filter((entry) => entry !== '');
}

function readMaxSize(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const size = Number(value);
  if (!/^\d{1,15}$/.test(value)) refuse('sdp.max-size', 'not a number of octets', 'decimal digits');
  return size;
}

function readDirection(lines: Lines, session: Lines): MediaDirection {
  const names: readonly MediaDirection[] = ['sendrecv', 'sendonly', 'recvonly', 'inactive'];
  const find = (from: Lines): MediaDirection | undefined => names.find((name) => hasAttribute(from, name));
  return find(lines) ?? find(session) ?? 'sendrecv';
}

function refuse(field: string, problem: string, expected: string): never {
  throw new ProtocolError('malformed', problem, { field, expected, hint: { sip: 488 } });
}

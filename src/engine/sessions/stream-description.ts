import { ProtocolError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import { profile } from '../../protocol/profile.ts';
import {
  buildMsrpMedia,
  createSessionDescription,
  findMsrpMedia,
  formatSdp,
  parseSdp,
  readMsrpMedia,
  refusedMedia,
  type MediaSection,
  type MsrpMedia,
} from '../../protocol/sdp/index.ts';
import type { Fingerprint, SocketAddress } from '../ports.ts';
import { addressOfPath, type ConnectTo, type FarAddresses } from './cema.ts';
import type { RemoteStream } from './remote-stream.ts';
import type { StreamPurpose } from './stream-purpose.ts';

export type StreamRole = 'active' | 'passive';

/** Our end of one MSRP stream. */
export interface LocalStream {
  readonly address: SocketAddress;
  /** MSRP URIs, as sent in `a=path`; the last is our own. */
  readonly path: readonly string[];
}

export type { RemoteStream } from './remote-stream.ts';

/** What secures the stream in the SDP: at most one of the two, and `requested` only with fingerprints (profile 3.2). */
export interface StreamSecurityLines {
  readonly secure: boolean;
  readonly fingerprint?: Fingerprint;
  readonly requested?: boolean;
  readonly keyManagement?: Uint8Array;
}

/** RFC 6135 4.2.1: a side that only connects names the discard port. */
const discardPort = 9;

/** @param id at least 80 random bits (RFC 4975 14.1). */
export function localStream(address: SocketAddress, id: string, secure: boolean): LocalStream {
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return { address, path: [`${secure ? 'msrps' : 'msrp'}://${host}:${address.port}/${id};tcp`] };
}

/** Our end behind a relay: RFC 6714 4.2 wants the relay in the c= and m= lines too, rather than ourselves. */
export function relayedStream(path: readonly string[]): LocalStream {
  return { address: addressOfPath({ path }), path };
}

export function connectingOnly(address: SocketAddress): SocketAddress {
  return { host: address.host, port: discardPort };
}

export function buildOffer(
  local: LocalStream,
  security: StreamSecurityLines,
  purpose: StreamPurpose,
  random: Random,
  cema = true,
): string {
  return describe(local, [streamSection(local, security, 'actpass', purpose, cema)], random);
}

/** Every other stream of the offer is refused in its place (RFC 3264 clause 6). */
export function buildAnswer(
  remote: RemoteStream,
  local: LocalStream,
  security: StreamSecurityLines,
  role: StreamRole,
  purpose: StreamPurpose,
  random: Random,
  cema = true,
): string {
  const answered = streamSection(local, security, role, purpose, cema);
  const sections = remote.description.media.map((section) =>
    section === remote.section ? answered : refusedMedia(section),
  );
  return describe(local, sections, random);
}

const refusedPurpose: StreamPurpose = {
  direction: 'inactive',
  acceptTypes: ['*'],
  acceptWrappedTypes: ['*'],
  more: [],
  channel: {},
};

/** SDP that carries a MIKEY Error in the body of a 488 (profile 3.2). */
export function buildRefusal(remote: RemoteStream, keyManagement: Uint8Array, random: Random): string {
  const local = localStream({ host: '0.0.0.0', port: 0 }, 'refused', true);
  const sections = remote.description.media.map((section) =>
    section === remote.section
      ? streamSection(local, { secure: true, keyManagement }, 'passive', refusedPurpose)
      : refusedMedia(section),
  );
  return describe(local, sections, random);
}

/** @throws ProtocolError when the body is no SDP or has no usable MSRP stream; hint SIP 400 or 488. */
export function readRemoteStream(sdp: string): RemoteStream {
  const description = parseSdp(sdp);
  const section = findMsrpMedia(description);
  if (section === undefined) {
    throw new ProtocolError('peer-incompatible', 'no MSRP stream', {
      field: 'sdp.m',
      expected: 'm=message with TCP/MSRP or TCP/TLS/MSRP',
      hint: { sip: 488 },
    });
  }
  const media = readMsrpMedia(section, description);
  const accepted: readonly string[] = profile.msrpTls.fingerprintHashesAccepted;
  const fingerprints = media.fingerprints.filter(({ hash }) => accepted.includes(hash));
  const facts = {
    protocol: media.protocol,
    fingerprint: fingerprints.length > 0,
    keyManagement: media.keyMgmtProtocols.length > 0,
    indicator: media.e2ae,
    relayed: media.path.length > 1,
  };
  return { description, section, media, facts, fingerprints };
}

/** Our role as the answerer: active wherever the offer leaves the choice (RFC 4145 clause 4.1, RFC 6135). */
export function roleForOffer(media: MsrpMedia): StreamRole {
  // RFC 4975 5.4: without `setup` the offerer connects. RFC 6135 4.2.1: `holdconn` is as if there were none.
  if (media.setup === undefined || media.setup === 'active' || media.setup === 'holdconn') return 'passive';
  return 'active';
}

export function roleForAnswer(media: MsrpMedia): StreamRole {
  if (media.setup === 'active') return 'passive';
  if (media.setup === undefined || media.setup === 'passive' || media.setup === 'holdconn') return 'active';
  throw unusableSetup('active or passive');
}

/** Where the active side connects. */
export function remoteAddress(media: MsrpMedia, connectTo: ConnectTo): SocketAddress {
  return connectTo === 'signalled' ? { host: media.address, port: media.port } : addressOfPath(media);
}

/** Profile 3.2: without CEMA on the far end, an end-to-end stream goes nowhere but where its path says. */
export function requireDirect({ cema, matches }: FarAddresses): void {
  if (cema || matches) return;
  throw new ProtocolError('peer-incompatible', 'address and path differ without CEMA', {
    field: 'sdp.msrp-cema',
    expected: 'a=msrp-cema',
    hint: { sip: 488 },
  });
}

function streamSection(
  local: LocalStream,
  security: StreamSecurityLines,
  setup: 'actpass' | StreamRole,
  { direction, acceptTypes, acceptWrappedTypes, maxSize, more }: StreamPurpose,
  cema = true,
): MediaSection {
  const { fingerprint, keyManagement } = security;
  return buildMsrpMedia({
    protocol: security.secure ? 'TCP/TLS/MSRP' : 'TCP/MSRP',
    port: local.address.port,
    address: local.address.host,
    path: local.path,
    setup,
    cema,
    acceptTypes,
    acceptWrappedTypes,
    direction,
    more,
    ...(maxSize === undefined ? {} : { maxSize }),
    ...(fingerprint === undefined ? {} : { fingerprints: [fingerprint] }),
    ...(keyManagement === undefined ? {} : { keyMgmt: keyManagement }),
    ...(security.requested === true ? { e2ae: 'requested' as const } : {}),
  });
}

function describe(local: LocalStream, media: readonly MediaSection[], random: Random): string {
  // RFC 3264 clause 5: the session id must fit a 64-bit signed integer; 48 random bits do.
  const id = random.bytes(6).reduce((value, octet) => value * 256 + octet, 0);
  return formatSdp(createSessionDescription({ id: String(id), version: '1', address: local.address.host, media }));
}

function unusableSetup(expected: string): ProtocolError {
  return new ProtocolError('peer-misbehaved', 'unusable role', {
    field: 'sdp.setup',
    expected,
    hint: { sip: 488 },
  });
}

import { describeError, ProtocolError } from '../../base/errors.ts';
import { withDeadline } from '../deadline.ts';
import { notProtectedBy, type Evidence } from '../evidence.ts';
import { limits } from '../limits.ts';
import type {
  DeviceCertificate,
  EnginePorts,
  MsrpConnection,
  MsrpDialled,
  MsrpListener,
  MsrpSecurity,
  SocketAddress,
  TlsFacts,
} from '../ports.ts';
import type { ProtectionLevel } from '../../base/protection-level.ts';
import { refuse, type RefusalError } from '../refusal.ts';
import type { MsrpCarrier } from '../msrp/msrp-carrier.ts';
import type { RelayPlace } from '../msrp/relay-client.ts';
import type { StreamDecision } from './session-decision.ts';
import type { SessionKey } from './session-keys.ts';
import type { RemoteStream, StreamRole } from './stream-description.ts';

/** What a negotiated stream is to be secured with; made from a decision that is not `abort`. */
export type StreamSecurity =
  | { readonly mode: 'psk'; readonly key: SessionKey }
  | {
      readonly mode: 'fingerprint';
      readonly decision: Extract<StreamDecision, { mode: 'fingerprint' }>;
      readonly certificate: DeviceCertificate;
    }
  /** Through our relay, on which the session has its place. */
  | { readonly mode: 'relay'; readonly place: RelayPlace; readonly beyond: 'tls' | 'plain' }
  /** Straight to the far end's relay, which must prove its name. */
  | { readonly mode: 'peer-relay'; readonly name: string; readonly trustedCa?: string }
  | { readonly mode: 'plain' };

export interface NegotiatedStream {
  readonly role: StreamRole;
  readonly remote: RemoteStream;
  /** Where to connect when active. */
  readonly address: SocketAddress;
  readonly security: StreamSecurity;
  /** Connected before it was answered that we would. */
  readonly dialled?: MsrpDialled;
}

export interface OpenedStream {
  readonly connection: MsrpConnection | MsrpCarrier;
  readonly level: ProtectionLevel;
  readonly evidence: Evidence;
}

/**
 * Connects or takes the connection, and says what the finished handshake proved.
 * @throws RefusalError; the listener is closed in every case.
 */
export async function openStream(
  ports: EnginePorts,
  stream: NegotiatedStream,
  listener: MsrpListener | undefined,
): Promise<OpenedStream> {
  if (stream.security.mode === 'relay') return throughRelay(stream.security, ports.clock.now());
  try {
    const connection = await withDeadline(
      ports.clock,
      limits.mediaSetupMilliseconds + 1_000,
      connect(ports, stream, listener),
      () => refuse('timeout', 'session', { happened: 'The session’s connection was not set up in time' }),
      (late) => late.close(),
    );
    try {
      return { connection, ...prove(stream, connection, ports.clock.now()) };
    } catch (error) {
      connection.close();
      throw error;
    }
  } catch (error) {
    ports.log.log('warn', 'session.media-failed', { role: stream.role, reason: describeError(error) });
    throw error instanceof ProtocolError ? refusalForMedia(error) : error;
  } finally {
    listener?.close();
    if (stream.security.mode === 'psk') stream.security.key.psk.dispose();
  }
}

/** The connection stands; AUTH on it has given the session its place. */
function throughRelay({ place, beyond }: Extract<StreamSecurity, { mode: 'relay' }>, verifiedAt: number): OpenedStream {
  const { seat, host } = place;
  if (seat.connection.tls === undefined) throw refuse('tls-failed', 'session');
  return { connection: seat, ...proveRelay(seat.connection.tls, host, 'own', beyond, verifiedAt) };
}

function proveRelay(
  { version, suite }: TlsFacts,
  relay: string,
  side: 'own' | 'peer',
  beyond: 'tls' | 'plain',
  verifiedAt: number,
): { level: ProtectionLevel; evidence: Evidence } {
  const notProtected = beyond === 'plain' ? notProtectedBy.nothing : notProtectedBy.relayed;
  return {
    level: beyond === 'plain' ? 'none' : 'unverified',
    evidence: {
      kind: 'msrp-relay',
      tls: { version, suite },
      relay,
      side,
      beyond,
      vouchedBy: 'nobody',
      verifiedAt,
      notProtected,
    },
  };
}

function connect(
  ports: EnginePorts,
  stream: NegotiatedStream,
  listener: MsrpListener | undefined,
): Promise<MsrpConnection> {
  const security = socketSecurity(stream);
  if (stream.role === 'passive' && listener !== undefined)
    return listener.accept(security, limits.mediaSetupMilliseconds);
  if (stream.dialled !== undefined) return stream.dialled.secure(security, limits.mediaSetupMilliseconds);
  return ports.msrp.connect(stream.address, security, limits.mediaSetupMilliseconds);
}

function socketSecurity({ security, remote }: NegotiatedStream): MsrpSecurity {
  switch (security.mode) {
    case 'psk':
      return { mode: 'psk', psk: security.key.psk, pskIdentity: security.key.pskIdentity };
    case 'fingerprint':
      return { mode: 'fingerprint', certificate: security.certificate, peerFingerprints: remote.fingerprints };
    case 'peer-relay': {
      const { name, trustedCa } = security;
      return { mode: 'relay', serverName: name, ...(trustedCa === undefined ? {} : { trustedCa }) };
    }
    case 'plain':
      return { mode: 'plain' };
    case 'relay':
      throw refuse('tls-failed', 'session');
  }
}

function prove(
  { security, role, remote }: NegotiatedStream,
  connection: MsrpConnection,
  verifiedAt: number,
): { level: ProtectionLevel; evidence: Evidence } {
  // The level is claimed for what this connection is, not for what was asked of it.
  const asked = security.mode === 'peer-relay' ? 'relay' : security.mode;
  if (connection.security !== asked) throw refuse('tls-failed', 'session');
  if (security.mode === 'plain') {
    return {
      level: 'none',
      evidence: { kind: 'msrp-plain', vouchedBy: 'nobody', notProtected: notProtectedBy.nothing },
    };
  }
  if (connection.tls === undefined) throw refuse('tls-failed', 'session');
  if (security.mode === 'peer-relay') return proveRelay(connection.tls, security.name, 'peer', 'tls', verifiedAt);
  if (security.mode === 'relay') throw refuse('tls-failed', 'session');
  const tls = { version: connection.tls.version, suite: connection.tls.suite };
  if (security.mode === 'psk') {
    const { kms, ticket, pskIdentity, peer } = security.key;
    const notProtected = notProtectedBy.endToEnd;
    return {
      level: 'e2e',
      evidence: {
        kind: 'msrp-psk-tls',
        tls,
        role,
        kms,
        ticket,
        keyId: pskIdentity,
        peer,
        vouchedBy: 'kms',
        verifiedAt,
        notProtected,
      },
    };
  }
  const { level, indication } = security.decision;
  return {
    level,
    evidence: {
      kind: 'msrp-fingerprint-tls',
      tls,
      localFingerprint: security.certificate.sha256,
      peerFingerprint: peerFingerprint(connection.tls, remote),
      indication,
      vouchedBy: level === 'e2ae' ? 'network' : 'nobody',
      verifiedAt,
      notProtected: level === 'e2ae' ? notProtectedBy.accessEdge : notProtectedBy.unverifiedEnd,
    },
  };
}

function peerFingerprint(tls: TlsFacts, remote: RemoteStream): string {
  return tls.peerCertificate?.sha256 ?? remote.fingerprints[0]?.value ?? '';
}

function refusalForMedia(error: ProtocolError): RefusalError {
  const cause = error;
  if (error.field.includes('fingerprint')) return refuse('fingerprint-mismatch', 'session', { cause });
  if (error.field === 'msrp.accept' && error.kind === 'local') {
    return refuse('connection-lost', 'session', { happened: 'The call ended before the connection was set up', cause });
  }
  if (error.kind === 'expired') return refuse('timeout', 'session', { cause });
  if (error.field.includes('tls')) return refuse('tls-failed', 'session', { cause });
  return refuse('peer-unreachable', 'session', { cause });
}

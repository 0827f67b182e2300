import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { describeError, ProtocolError } from '../../base/errors.ts';
import { certificateFingerprint, describeCertificate, type FingerprintHash } from '../../crypto/certificate.ts';
import type { Fingerprint, MsrpSecurity, TlsFacts } from '../../engine/ports.ts';
import { profile } from '../../protocol/profile.ts';
import { startRelayTls } from './relay-tls.ts';
import { startFingerprintTls, startPskTls, type StartedTls, type TlsRole } from './tls-setup.ts';

export type SecuredMode = Extract<MsrpSecurity, { mode: 'fingerprint' | 'psk' | 'relay' }>;

export interface SecuredSocket {
  readonly socket: TLSSocket;
  readonly tls: TlsFacts;
}

/**
 * Runs one handshake and the check of the peer on a connected socket. Nothing of what the peer sends is read before
 * both are done; on failure the socket is destroyed.
 * @throws ProtocolError field `tls.fingerprint`, `tls.psk` or `tls.handshake`.
 */
export function secure(
  raw: Socket,
  role: TlsRole,
  security: SecuredMode,
  pskCiphers: string | undefined,
): Promise<SecuredSocket> {
  return new Promise((resolve, reject) => {
    let started: StartedTls | undefined;
    const fail = (error: unknown): void => {
      started?.wipe();
      started?.socket.destroy();
      raw.destroy();
      reject(asProtocolError(error, security.mode));
    };
    try {
      checkSecurity(security);
      started = start(raw, role, security, pskCiphers);
    } catch (error) {
      fail(error);
      return;
    }
    const { socket, wipe } = started;
    const closed = (): void => fail(new Error('the peer closed the connection'));
    socket.on('error', fail).once('close', closed);
    socket.once(role === 'client' ? 'secureConnect' : 'secure', () => {
      try {
        socket.disableRenegotiation();
        const tls = checkPeer(socket, security);
        wipe();
        socket
          .on('error', () => undefined)
          .off('error', fail)
          .off('close', closed);
        resolve({ socket, tls });
      } catch (error) {
        fail(error);
      }
    });
  });
}

function start(raw: Socket, role: TlsRole, security: SecuredMode, pskCiphers: string | undefined): StartedTls {
  switch (security.mode) {
    case 'psk':
      return startPskTls(raw, role, security, pskCiphers);
    case 'fingerprint':
      return startFingerprintTls(raw, role, security);
    case 'relay':
      return startRelayTls(raw, role, security);
  }
}

function checkSecurity(security: SecuredMode): void {
  if (security.mode === 'fingerprint' && acceptable(security.peerFingerprints).length === 0) {
    throw new ProtocolError('policy-denied', 'no fingerprint to check the peer against', {
      field: 'tls.fingerprint',
      expected: profile.msrpTls.fingerprintHashesAccepted.join(' or '),
    });
  }
  if (security.mode === 'psk' && security.psk.length < 16) {
    throw new ProtocolError('local', 'pre-shared key too short', { field: 'tls.psk', expected: '16 octets or more' });
  }
}

function checkPeer(socket: TLSSocket, security: SecuredMode): TlsFacts {
  if (socket.isSessionReused()) throw misbehaved('tls.handshake', 'an old session was resumed', 'a full handshake');
  const { name, standardName } = socket.getCipher();
  const version = socket.getProtocol() ?? '';
  const certificate = peerCertificate(socket);
  if (security.mode === 'psk') {
    const suites: readonly string[] = profile.msrpTls.pskSuites;
    // A suite or certificate from outside the list would mean that something other than the key proved the peer.
    if (version !== 'TLSv1.2' || !suites.includes(name) || certificate !== undefined) {
      throw misbehaved('tls.psk', `handshake with ${version} ${name}`, 'TLS 1.2 with a pre-shared key suite');
    }
    return { version, suite: standardName };
  }
  if (version !== 'TLSv1.2' && version !== 'TLSv1.3') throw misbehaved('tls.handshake', version, 'TLS 1.2 or 1.3');
  if (certificate === undefined) throw misbehaved('tls.fingerprint', 'the peer sent no certificate', 'its certificate');
  if (security.mode === 'relay') {
    if (!socket.authorized) throw misbehaved('tls.relay', 'a certificate that proves nothing', 'the name of the relay');
    return { version, suite: standardName, peerCertificate: describeCertificate(certificate) };
  }
  checkFingerprint(certificate, security.peerFingerprints);
  return { version, suite: standardName, peerCertificate: describeCertificate(certificate) };
}

/** RFC 8122 section 5: the certificate must match one fingerprint whose hash we accept (profile 2.4). */
function checkFingerprint(certificate: Uint8Array, fingerprints: readonly Fingerprint[]): void {
  const isMatch = acceptable(fingerprints).some(
    ({ hash, value }) => certificateFingerprint(hash, certificate) === value.toUpperCase(),
  );
  if (!isMatch) {
    throw misbehaved('tls.fingerprint', 'another certificate than announced', 'the announced certificate');
  }
}

function acceptable(fingerprints: readonly Fingerprint[]): { hash: FingerprintHash; value: string }[] {
  return fingerprints.flatMap(({ hash, value }) => {
    const known = profile.msrpTls.fingerprintHashesAccepted.find((name) => name === hash.toLowerCase());
    return known === undefined ? [] : [{ hash: known, value }];
  });
}

function peerCertificate(socket: TLSSocket): Uint8Array | undefined {
  // Typed as always there; without a peer certificate the object is empty.
  const { raw } = socket.getPeerCertificate() as { raw?: Uint8Array };
  return raw;
}

function misbehaved(field: string, problem: string, expected: string): ProtocolError {
  return new ProtocolError('peer-misbehaved', problem, { field, expected });
}

/** The TLS library's own words name no secret: they speak of alerts and records. */
function asProtocolError(error: unknown, mode: SecuredMode['mode']): ProtocolError {
  if (error instanceof ProtocolError) return error;
  const { field, expected } = handshakeOf[mode];
  return new ProtocolError('peer-misbehaved', `TLS handshake failed: ${describeError(error)}`, {
    field,
    expected,
    cause: error,
  });
}

const handshakeOf: Readonly<Record<SecuredMode['mode'], { readonly field: string; readonly expected: string }>> = {
  psk: { field: 'tls.psk', expected: 'a peer with the same key' },
  fingerprint: { field: 'tls.handshake', expected: 'a TLS 1.2 or 1.3 handshake with certificates on both sides' },
  relay: { field: 'tls.relay', expected: 'a certificate that proves the name of the relay' },
};

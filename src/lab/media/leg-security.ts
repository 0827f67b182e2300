import type { Duplex } from 'node:stream';
import { connect, createSecureContext, TLSSocket } from 'node:tls';
import { ProtocolError } from '../../base/errors.ts';
import type { DeviceCertificate } from '../../engine/ports.ts';
import { certificateFingerprint } from '../../crypto/certificate.ts';
import { profile } from '../../protocol/profile.ts';
import type { SdpFingerprint } from '../../protocol/sdp/index.ts';

/** TLS on one leg, ended by the gateway: both sides show a certificate, the UE's must match its description. */
export interface LegSecurity {
  readonly certificate: DeviceCertificate;
  readonly peerFingerprints: readonly SdpFingerprint[];
}

/** Resolves when the handshake is done and the UE's certificate is the announced one; else destroys the stream and rejects. */
export function secureLeg(
  stream: Duplex,
  { certificate, peerFingerprints }: LegSecurity,
  side: 'client' | 'server',
  name: string,
): Promise<Duplex> {
  const credentials = {
    cert: certificate.certificatePem,
    key: certificate.privateKeyPem.use((pem) => Buffer.from(pem)),
    minVersion: 'TLSv1.2' as const,
    // Self-signed certificates have no chain: the fingerprint below is the check.
    rejectUnauthorized: false,
  };
  const tls =
    side === 'client'
      ? connect({ ...credentials, socket: stream, checkServerIdentity: () => undefined })
      : new TLSSocket(stream, {
          ...credentials,
          isServer: true,
          requestCert: true,
          secureContext: createSecureContext(credentials),
        });
  return new Promise((resolve, reject) => {
    const fail = (problem: string): void => {
      tls.destroy();
      stream.destroy();
      reject(new ProtocolError('peer-misbehaved', problem, { field: `gateway.${name}.tls` }));
    };
    tls.on('error', () => fail('TLS failed'));
    tls.once('close', () => fail('closed during the handshake'));
    tls.once(side === 'client' ? 'secureConnect' : 'secure', () => {
      const der = tls.getPeerX509Certificate()?.raw;
      if (der === undefined || !matchesAny(der, peerFingerprints)) fail('certificate is not the announced one');
      else resolve(tls);
    });
  });
}

function matchesAny(der: Uint8Array, fingerprints: readonly SdpFingerprint[]): boolean {
  const accepted = profile.msrpTls.fingerprintHashesAccepted;
  return fingerprints.some((fingerprint) => {
    const hash = accepted.find((name) => name === fingerprint.hash);
    return hash !== undefined && certificateFingerprint(hash, der) === fingerprint.value;
  });
}

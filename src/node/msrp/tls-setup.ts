import type { Socket } from 'node:net';
import { connect, createSecureContext, TLSSocket, type SecureContext } from 'node:tls';
import { ProtocolError } from '../../base/errors.ts';
import { oneTimeTlsOptions } from '../../crypto/tls-options.ts';
import type { MsrpSecurity } from '../../engine/ports.ts';
import { profile } from '../../protocol/profile.ts';

export type TlsRole = 'client' | 'server';
type FingerprintSecurity = Extract<MsrpSecurity, { mode: 'fingerprint' }>;
type PskSecurity = Extract<MsrpSecurity, { mode: 'psk' }>;

/** A handshake that has begun; `wipe` clears what it needed to know, once it is over. */
export interface StartedTls {
  readonly socket: TLSSocket;
  readonly wipe: () => void;
}

/**
 * Begins TLS between two certificates that no authority signed: both are asked for, neither is judged here.
 * The caller must compare fingerprints before it lets any octet through.
 */
export function startFingerprintTls(raw: Socket, role: TlsRole, { certificate }: FingerprintSecurity): StartedTls {
  const { fingerprintTls13Suites, fingerprintSuites } = profile.msrpTls;
  const secureContext = certificate.privateKeyPem.use((pem) => {
    const key = Buffer.from(pem);
    try {
      return createSecureContext({
        cert: certificate.certificatePem,
        key,
        ciphers: [...fingerprintTls13Suites, ...fingerprintSuites].join(':'),
        minVersion: 'TLSv1.2',
        maxVersion: 'TLSv1.3',
        secureOptions: oneTimeTlsOptions,
      });
    } finally {
      key.fill(0);
    }
  });
  const options = { secureContext, rejectUnauthorized: false };
  const socket =
    role === 'client'
      ? connect({ socket: raw, ...options })
      : new TLSSocket(raw, { isServer: true, requestCert: true, ...options });
  return { socket, wipe: () => undefined };
}

/** RFC 4279 and profile 3.3: TLS 1.2, suites in which nothing but the key proves the peer, no identity hint. */
export function startPskTls(
  raw: Socket,
  role: TlsRole,
  { psk, pskIdentity: identity }: PskSecurity,
  pskCiphers: string | undefined,
): StartedTls {
  if (pskCiphers === undefined) {
    throw new ProtocolError('unsupported', 'this TLS library has no pre-shared key suites', {
      field: 'tls.psk',
      expected: profile.msrpTls.pskSuites.join(', '),
    });
  }
  const key = psk.use((bytes) => Buffer.from(bytes));
  const secureContext = createPskContext(pskCiphers);
  const socket =
    role === 'client'
      ? connect({
          socket: raw,
          secureContext,
          pskCallback: () => ({ psk: key, identity }),
          // There is no certificate whose name could be checked.
          checkServerIdentity: () => undefined,
        })
      : // The key belongs to the port, whatever identity the peer names (profile 3.3).
        new TLSSocket(raw, { isServer: true, secureContext, ...{ pskCallback: () => key } });
  return { socket, wipe: () => key.fill(0) };
}

export function createPskContext(pskCiphers: string): SecureContext {
  return createSecureContext({
    ciphers: pskCiphers,
    minVersion: profile.msrpTls.pskMinVersion,
    maxVersion: 'TLSv1.2',
    secureOptions: oneTimeTlsOptions,
  });
}

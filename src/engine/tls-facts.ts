/** What a finished TLS handshake proved. */
export interface TlsFacts {
  /** As the TLS library names it: `TLSv1.2` or `TLSv1.3`. */
  readonly version: string;
  /** Cipher suite, IANA name where the library gives it. */
  readonly suite: string;
  readonly peerCertificate?: CertificateFacts;
  /** For a SIP server: why its certificate was accepted. */
  readonly serverProof?: ServerProof;
}

/**
 * What stands behind the certificate of a SIP server:
 *
 *   authority   a trusted authority certifies the name that had to be proven
 *   pin         it is the one that was met before, or that the user accepted; who it belongs to is not proven
 *   first-use   it is met for the first time and remembered from now on; nothing is proven
 */
export type ServerProof = 'authority' | 'pin' | 'first-use';

export interface CertificateFacts {
  /** SHA-256 over the DER certificate, upper-case hexadecimal pairs joined by colons. */
  readonly sha256: string;
  readonly subject: string;
  readonly issuer: string;
  /** ISO 8601. */
  readonly validUntil: string;
}

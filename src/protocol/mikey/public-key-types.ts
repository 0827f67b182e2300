import type { RsaPrivateKey } from '../../crypto/rsa.ts';
import type { Certificate } from '../../crypto/x509.ts';

/** What a user proves itself with to a KMS that knows its certificate, and the KMS's own (RFC 6043 4.2.1.3). */
export interface PublicKeyCredential {
  /** DER, the user's first, each next one certifies the one before. */
  readonly certificates: readonly Uint8Array[];
  readonly privateKey: RsaPrivateKey;
  /** Trusted because it was configured; its key enciphers the envelope key. */
  readonly kmsCertificate: Certificate;
}

import { ProtocolError } from '../../base/errors.ts';
import type { SecretBytes } from '../../base/secret-bytes.ts';
import { RsaPrivateKey } from '../../crypto/rsa.ts';
import { Certificate, type CertificateUse } from '../../crypto/x509.ts';
import type { PublicKeyCredential } from '../../protocol/mikey/index.ts';
import type { KmsCredentialConfig } from '../account-config.ts';
import { refuse } from '../refusal.ts';
import type { KmsCredential } from './kms-credential-types.ts';

/**
 * A certificate of this account instead of a key that it shares with the KMS (RFC 6043, REQUEST_INIT_PK and RESOLVE_INIT_PK): every
 * exchange has a key of its own, so there is none that could be renewed.
 * @param privateKey DER of PKCS #8.
 * @throws ProtocolError when certificates or key cannot be read or do not belong together.
 */
export function createCertificateCredential(
  { certificates, kmsCertificate }: Extract<KmsCredentialConfig, { readonly mode: 'certificate' }>,
  privateKey: SecretBytes,
): KmsCredential {
  const [own = new Uint8Array()] = certificates;
  const ownCertificate = new Certificate(own, 'kms.credential.certificate');
  const ofKms = new Certificate(kmsCertificate, 'kms.credential.kmsCertificate');
  const key = new RsaPrivateKey(privateKey, 'kms.credential.privateKey');
  if (!key.publicKey.equals(ownCertificate.publicKey())) {
    throw new ProtocolError('local', 'not the key of the certificate', { field: 'kms.credential.privateKey' });
  }
  let certificate: PublicKeyCredential | undefined = { certificates, privateKey: key, kmsCertificate: ofKms };
  return {
    mode: 'certificate',
    current: (now) =>
      Promise.resolve().then(() => {
        refuseUnusable(ownCertificate, 'signature', now, 'The certificate of this account');
        refuseUnusable(ofKms, 'encryption', now, 'The certificate of the key management server');
        if (certificate === undefined) throw refuse('no-kms');
        return { certificate };
      }),
    rejected: () => Promise.resolve('give-up'),
    dispose: () => {
      certificate = undefined;
    },
  };
}

/** Told in words here, before the KMS would refuse it with a number. */
function refuseUnusable(certificate: Certificate, use: CertificateUse, now: number, what: string): void {
  const said = (words: string): never => {
    throw refuse('kms-refused', 'message', { happened: `${what} ${words}` });
  };
  if (now < certificate.validFrom) said('is not valid yet');
  if (now > certificate.validUntil) said('has expired');
  if (!certificate.isFor(use)) said('is for another use');
}

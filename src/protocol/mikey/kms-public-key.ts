import { assertProtocolError, ProtocolError } from '../../base/errors.ts';
import type { SecretBytes } from '../../base/secret-bytes.ts';
import { maxPathCertificates, validatePath, type TrustAnchors } from '../../crypto/certificate-path.ts';
import type { RsaPrivateKey, RsaPublicKey } from '../../crypto/rsa.ts';
import type { Certificate } from '../../crypto/x509.ts';
import { certificateType, mikeyError } from './code-points.ts';
import { openEnvelope, type KmsKeyPair } from './envelope.ts';
import type { ErrorProof } from './error-message.ts';
import type { MikeyIdentity } from './identity.ts';
import type { KmsDirectory, KmsPublicKey, KmsUser } from './kms-types.ts';
import type { DecodedMessage } from './message.ts';
import type { Payload } from './payloads.ts';
import type { ProtectionKeys, SuiteParameters } from './protection.ts';
import { isSignedBy } from './signature.ts';

/**
 * Who sent a public-key question (RFC 6043 4.2.1.4). What is wrong with the certificates is told, for it depends on nothing but them
 * and the trust anchors; whether the user is unknown, the certificate another one's or the signature wrong is told apart by nobody:
 * all are looked at before any of them counts.
 * @returns `undefined` for an unproven sender.
 * @throws ProtocolError with the number "Invalid Cert" for certificates that prove nothing.
 */
export async function findCertifiedSender(
  message: DecodedMessage,
  claimed: MikeyIdentity,
  kms: MikeyIdentity,
  { anchors, directory, now }: { anchors: TrustAnchors; directory: KmsDirectory; now: number },
): Promise<KmsUser | undefined> {
  const { certificate, key } = senderCertificate(message.payloads, anchors, now);
  const isSigned = isSignedBy(message, key, [claimed.data, kms.data]);
  const user = await directory.findCertified?.(claimed, certificate);
  return isSigned ? user : undefined;
}

function senderCertificate(
  payloads: readonly Payload[],
  anchors: TrustAnchors,
  now: number,
): { readonly certificate: Certificate; readonly key: RsaPublicKey } {
  try {
    const certificate = validatePath(certificatesOf(payloads), { anchors, use: 'signature', now });
    return { certificate, key: certificate.publicKey() };
  } catch (error) {
    assertProtocolError(error);
    throw new ProtocolError(error.kind, `the certificates prove nothing: ${error.message}`, {
      field: 'mikey.CERT',
      hint: { mikey: mikeyError.invalidCertificate },
      cause: error,
    });
  }
}

/** Certificates at a URL are not fetched: anybody could make the KMS ask anybody for anything. */
function certificatesOf(payloads: readonly Payload[]): readonly Uint8Array[] {
  const certificates = payloads.filter((payload) => payload.payload === 'CERT');
  if (certificates.length > maxPathCertificates) {
    throw new ProtocolError('malformed', `${certificates.length} certificates`, {
      field: 'mikey.CERT',
      expected: `at most ${maxPathCertificates}`,
    });
  }
  return certificates.map(({ certificateType: type, data }) => {
    if (type !== certificateType.x509 && type !== certificateType.x509Sign) {
      throw new ProtocolError('unsupported', `certificate type ${type}`, {
        field: 'mikey.CERT.type',
        expected: `${certificateType.x509} or ${certificateType.x509Sign}`,
      });
    }
    return data;
  });
}

/** What an exchange with a proven sender is protected with. */
export interface OpenedEnvelope {
  /** Pre-shared or envelope key. @throws ProtocolError why there is none. */
  readonly secret: () => SecretBytes;
  readonly errorProof: ErrorProof | undefined;
}

/**
 * The envelope key of a proven sender. Where there is none, an Error is signed (RFC 6043 5.4), provided that one of our certificates
 * is for signatures too.
 * @param errorKeys makes the keys of the question from the envelope key.
 */
export function openSenderEnvelope(
  payloads: readonly Payload[],
  { keys }: KmsPublicKey,
  suite: SuiteParameters,
  errorKeys: (secret: SecretBytes) => ProtectionKeys,
): OpenedEnvelope {
  try {
    const secret = openEnvelope(payloads, keys, suite);
    return { secret: () => secret, errorProof: errorKeys(secret) };
  } catch (error) {
    assertProtocolError(error);
    return {
      secret: () => {
        throw error;
      },
      errorProof: signingKey(keys),
    };
  }
}

function signingKey(keys: readonly KmsKeyPair[]): RsaPrivateKey | undefined {
  return keys.find(({ certificate }) => certificate.isFor('signature'))?.privateKey;
}

import { ProtocolError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import { certificateType } from './code-points.ts';
import { makeEnvelope, type Envelope } from './envelope.ts';
import { sameIdentity, uriIdentity, type MikeyIdentity } from './identity.ts';
import { kmsHeader } from './kms-answer.ts';
import type { Payload } from './payloads.ts';
import type { SuiteParameters } from './protection.ts';
import { signMessage } from './signature.ts';
import type { PublicKeyCredential } from './types.ts';

/** What stands in a PK question besides the payloads that it shares with a PSK question. */
export interface PublicKeyParts extends Envelope {
  readonly certificates: readonly Uint8Array[];
}

/**
 * A fresh envelope to the KMS.
 * @throws ProtocolError when its certificate is not valid now, is for something else than encryption, or names another KMS.
 */
export function preparePublicKeyParts(
  { certificates, kmsCertificate }: PublicKeyCredential,
  { suite, kms, now, random }: { suite: SuiteParameters; kms: MikeyIdentity; now: number; random: Random },
): PublicKeyParts {
  kmsCertificate.refuseOutsideValidity(now);
  kmsCertificate.refuseOtherUse('encryption');
  const names = kmsCertificate.uris.map(uriIdentity);
  if (names.length > 0 && !names.some((name) => sameIdentity(name, kms))) {
    throw new ProtocolError('policy-denied', 'the certificate names another KMS', {
      field: 'kmsCertificate.subjectAltName',
      expected: 'the identity of the KMS',
    });
  }
  return { certificates, ...makeEnvelope(suite, kmsCertificate, random) };
}

/** One CERT for each certificate (RFC 6043 4.2.1.3). */
export function certificatePayloads(certificates: readonly Uint8Array[]): Payload[] {
  return certificates.map((data) => ({ payload: 'CERT', certificateType: certificateType.x509, data }));
}

/** REQUEST_INIT_PK or RESOLVE_INIT_PK: signed together with the asker's and the KMS's identity (reading [A1]: ID Data alone). */
export function signQuestion(
  question: {
    readonly type: number;
    readonly suite: SuiteParameters;
    readonly csbId: number;
    readonly asker: MikeyIdentity;
    readonly kms: MikeyIdentity;
  },
  payloads: readonly Payload[],
  { certificateHash, pke }: PublicKeyParts,
  { privateKey }: PublicKeyCredential,
): Uint8Array {
  const { type, suite, csbId, asker, kms } = question;
  const header = kmsHeader(type, suite, csbId, true);
  return signMessage({ header, payloads: [...payloads, certificateHash, pke] }, privateKey, [asker.data, kms.data])
    .bytes;
}

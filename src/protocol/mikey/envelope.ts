import { equalBytes } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import { SecretBytes } from '../../base/secret-bytes.ts';
import type { RsaPrivateKey } from '../../crypto/rsa.ts';
import type { Certificate, CertificateHash } from '../../crypto/x509.ts';
import { envelopeCache, hashFunction, mikeyError, prfFunction } from './code-points.ts';
import { optionalPayload, requiredPayload } from './payload-access.ts';
import type { CertificateHashPayload, EnvelopePayload, Payload } from './payloads.ts';
import type { SuiteParameters } from './protection.ts';

const hashNames: Readonly<Record<number, CertificateHash>> = {
  [hashFunction.sha1]: 'sha1',
  [hashFunction.md5]: 'md5',
  [hashFunction.sha256]: 'sha256',
};

/** A fresh key that only the KMS and its maker know, and the payloads that carry it (RFC 3830 3.2). */
export interface Envelope {
  /** Stands where a pre-shared key would: it makes every key of the exchange. */
  readonly key: SecretBytes;
  /** Tells a KMS with several keys which one is used. */
  readonly certificateHash: CertificateHashPayload;
  readonly pke: EnvelopePayload;
}

/**
 * Makes an envelope key and enciphers it to the KMS. Its length is not signalled; like the keys that the suite makes (reading [A16])
 * it has 128 bits with MIKEY-1 and 256 with PRF-HMAC-SHA-256.
 */
export function makeEnvelope(suite: SuiteParameters, kms: Certificate, random: Random): Envelope {
  const octets = random.bytes(suite.keyBits / 8);
  const isLong = suite.prf === prfFunction.hmacSha256;
  return {
    key: new SecretBytes(octets),
    certificateHash: {
      payload: 'CHASH',
      hashFunction: isLong ? hashFunction.sha256 : hashFunction.sha1,
      hash: kms.hash(isLong ? 'sha256' : 'sha1'),
    },
    pke: { payload: 'PKE', cache: envelopeCache.none, data: kms.publicKey().encrypt(octets) },
  };
}

/** One of the keys of a KMS: several live side by side while an old certificate is replaced. */
export interface KmsKeyPair {
  readonly certificate: Certificate;
  readonly privateKey: RsaPrivateKey;
}

/**
 * The envelope key of a question whose sender is proven. One that does not decipher is replaced by another that nobody knows, so
 * that the answer tells nobody but the holder of the right one (see `RsaPrivateKey.decryptKey`).
 * @param keys the first is meant where the message names none.
 * @throws ProtocolError for what everybody can see: no PKE, a wish to keep the key, another certificate than ours.
 */
export function openEnvelope(
  payloads: readonly Payload[],
  keys: readonly KmsKeyPair[],
  suite: SuiteParameters,
): SecretBytes {
  const { cache, data } = requiredPayload(payloads, 'PKE');
  if (cache !== envelopeCache.none) {
    throw new ProtocolError('unsupported', `cache type ${cache}`, {
      field: 'mikey.PKE.cache',
      expected: `${envelopeCache.none}: envelope keys are not kept`,
      hint: { mikey: mikeyError.unspecified },
    });
  }
  const key = keyOf(optionalPayload(payloads, 'CHASH'), keys);
  const octets = key.privateKey.decryptKey(data, suite.keyBits / 8);
  const secret = new SecretBytes(octets);
  octets.fill(0);
  return secret;
}

function keyOf(certificateHash: CertificateHashPayload | undefined, keys: readonly KmsKeyPair[]): KmsKeyPair {
  const found = certificateHash === undefined ? keys[0] : keys.find((key) => isNamed(key, certificateHash));
  if (found === undefined) {
    throw new ProtocolError('peer-incompatible', 'enciphered to a certificate that is not ours', {
      field: 'mikey.CHASH',
      hint: { mikey: mikeyError.invalidCertificate },
    });
  }
  return found;
}

function isNamed({ certificate }: KmsKeyPair, { hashFunction: code, hash }: CertificateHashPayload): boolean {
  const name = hashNames[code];
  return name !== undefined && equalBytes(certificate.hash(name), hash);
}

import { concatBytes } from '../../base/bytes.ts';
import type { RsaPrivateKey, RsaPublicKey, SignatureHash, SignatureScheme } from '../../crypto/rsa.ts';
import { prfFunction, signatureType } from './code-points.ts';
import { decodeMessage, encodeMessage, type DecodedMessage, type MikeyMessage } from './message.ts';
import { coveredOctets } from './protection.ts';
import type { SignaturePayload } from './payloads.ts';

/** Reading [A22]: the hash is not signalled; the one of the PRF is used. */
const hashOfPrf = (prf: number): SignatureHash => (prf === prfFunction.hmacSha256 ? 'sha256' : 'sha1');
const schemes: Readonly<Record<number, SignatureScheme>> = {
  [signatureType.rsaPkcs1]: 'pkcs1',
  [signatureType.rsaPss]: 'pss',
};

/**
 * Encodes a message and signs it together with what follows (RFC 6043 5.5), RSA PKCS #1 v1.5: all that everybody must know
 * (RFC 3830 4.2.6).
 */
export function signMessage(
  message: MikeyMessage,
  signer: RsaPrivateKey,
  trailer: readonly Uint8Array[],
): { readonly bytes: Uint8Array; readonly signature: Uint8Array } {
  const empty: SignaturePayload = {
    payload: 'SIGN',
    signatureType: signatureType.rsaPkcs1,
    signature: new Uint8Array(signer.publicKey.modulusOctets),
  };
  const unsigned = decodeMessage(encodeMessage({ ...message, payloads: [...message.payloads, empty] }));
  const covered = concatBytes(coveredOctets(unsigned, false), ...trailer);
  const signature = signer.sign('pkcs1', hashOfPrf(message.header.prf), covered);
  const bytes = Uint8Array.from(unsigned.bytes);
  bytes.set(signature, bytes.length - signature.length);
  return { bytes, signature };
}

/** True when the message ends in a signature by `key` over it and `trailer`. Reading [A22]: either hash will do. */
export function isSignedBy(message: DecodedMessage, key: RsaPublicKey, trailer: readonly Uint8Array[]): boolean {
  const last = message.payloads.at(-1);
  const scheme = last?.payload === 'SIGN' ? schemes[last.signatureType] : undefined;
  if (last?.payload !== 'SIGN' || scheme === undefined) return false;
  const covered = concatBytes(coveredOctets(message, false), ...trailer);
  return (['sha256', 'sha1'] as const).some((hash) => key.verifies(scheme, hash, covered, last.signature));
}

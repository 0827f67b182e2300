import { concatBytes, fromBase64, toBase64, utf8 } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { SecretBytes } from '../../base/secret-bytes.ts';
import { hmacMd5, hmacSha256 } from '../../crypto/digest.ts';
import { requireOctets } from './octets.ts';
import type { AkaKeys } from './usim.ts';

/** HTTP Digest whose password comes from AKA: RFC 3310, and RFC 4169 with CK and IK in it, with either hash. */
export type AkaDigestAlgorithm = 'AKAv1-MD5' | 'AKAv2-MD5' | 'AKAv2-SHA-256';

/** What a nonce of AKA Digest carries (RFC 3310 clause 3.2). */
export interface AkaNonce {
  /** 16 octets. */
  readonly rand: Uint8Array;
  /** 16 octets. */
  readonly autn: Uint8Array;
  /** Whatever the server wants back. */
  readonly serverData: Uint8Array;
}

const maxNonceLength = 1024;

/** base64(RAND || AUTN || server data). */
export function encodeAkaNonce({ rand, autn, serverData }: AkaNonce): string {
  requireOctets(rand, 16, 'aka.rand', 'local');
  requireOctets(autn, 16, 'aka.autn', 'local');
  return toBase64(concatBytes(rand, autn, serverData));
}

/** @throws ProtocolError `malformed` */
export function decodeAkaNonce(nonce: string): AkaNonce {
  if (nonce.length > maxNonceLength) {
    throw new ProtocolError('malformed', 'too long', { field: 'aka.nonce', expected: `${maxNonceLength} characters` });
  }
  const octets = fromBase64(nonce, 'aka.nonce');
  if (octets.length < 32) {
    throw new ProtocolError('malformed', `${octets.length} octets`, { field: 'aka.nonce', expected: 'RAND and AUTN' });
  }
  return { rand: octets.slice(0, 16), autn: octets.slice(16, 32), serverData: octets.slice(32) };
}

/**
 * The password of the digest: for AKAv1 the octets of RES as they are (RFC 3310 clause 3.3), for AKAv2
 * base64(HMAC(RES || IK || CK, "http-digest-akav2-password")) with the hash of the digest (RFC 4169 clause 2.1).
 */
export function akaDigestPassword(algorithm: AkaDigestAlgorithm, { res, ck, ik }: AkaKeys): SecretBytes {
  if (algorithm === 'AKAv1-MD5') return res.use((octets) => new SecretBytes(octets));
  return res.use((response) =>
    ik.use((integrity) =>
      ck.use((cipher) => {
        const secret = concatBytes(response, integrity, cipher);
        const hmac = algorithm === 'AKAv2-MD5' ? hmacMd5 : hmacSha256;
        const password = toBase64(hmac(secret, utf8('http-digest-akav2-password')));
        secret.fill(0);
        return new SecretBytes(utf8(password));
      }),
    ),
  );
}

/** `auts` parameter (RFC 3310 clause 3.4). */
export function encodeAuts(auts: Uint8Array): string {
  return toBase64(requireOctets(auts, 14, 'aka.auts', 'local'));
}

/** @throws ProtocolError `malformed` unless it is base64 of 14 octets */
export function decodeAuts(text: string): Uint8Array {
  if (text.length > maxNonceLength) {
    throw new ProtocolError('malformed', 'too long', { field: 'aka.auts', expected: 'base64 of 14 octets' });
  }
  return requireOctets(fromBase64(text, 'aka.auts'), 14, 'aka.auts');
}

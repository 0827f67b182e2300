import { concatBytes, utf8 } from '../../base/bytes.ts';
import { ByteWriter } from '../../base/byte-writer.ts';
import { ProtocolError } from '../../base/errors.ts';
import { SecretBytes } from '../../base/secret-bytes.ts';
import { hmacSha256 } from '../../crypto/digest.ts';
import { requireOctets } from './octets.ts';

/** FC of every derivation in TS 33.220 annex B. */
const functionCode = 0x01;

/** Ua security protocol of a UE and a KMS (TS 33.220 annex H.3): 5 octets. */
export const uaProtocolKms: Uint8Array = Uint8Array.of(0x01, 0x00, 0x00, 0x00, 0x06);

/**
 * The KDF of TS 33.220 clause B.2: HMAC-SHA-256(key, FC || P0 || L0 || P1 || L1 ...), each length in two octets. 32 octets.
 * @throws ProtocolError `local` for a parameter above 65535 octets
 */
export function gbaKdf(key: SecretBytes, ...parameters: readonly Uint8Array[]): SecretBytes {
  const input = parameters.flatMap((parameter) => {
    if (parameter.length > 0xffff) {
      throw new ProtocolError('local', 'too long', { field: 'gba.kdf', expected: 'at most 65535 octets' });
    }
    return [parameter, new ByteWriter().u16(parameter.length).finish()];
  });
  return key.use((octets) => new SecretBytes(hmacSha256(octets, Uint8Array.of(functionCode), ...input)));
}

/** Ks = CK || IK of a bootstrapping with AKA (TS 33.220 clause 4.5.2): 32 octets. */
export function bootstrappingKey(ck: SecretBytes, ik: SecretBytes): SecretBytes {
  return ck.use((cipher) => ik.use((integrity) => new SecretBytes(concatBytes(cipher, integrity))));
}

/** NAF_Id: the name of the server as its certificate carries it, then the Ua protocol (TS 33.220 clause 4.5.2). */
export function nafId(fqdn: string, uaProtocol: Uint8Array = uaProtocolKms): Uint8Array {
  requireOctets(uaProtocol, 5, 'gba.uaProtocol', 'local');
  return concatBytes(utf8(fqdn.toLowerCase()), uaProtocol);
}

export interface KsNafInput {
  readonly ks: SecretBytes;
  /** RAND (16 octets) of the run of AKA, or the nonce of the HTTP Digest. */
  readonly bootstrapping:
    { readonly mode: 'gba-me'; readonly rand: Uint8Array } | { readonly mode: 'gba-digest'; readonly nonce: string };
  /** Private identity. */
  readonly impi: string;
  readonly nafId: Uint8Array;
}

/** Ks_NAF = KDF(Ks, "gba-me" or "gba-digest", RAND or nonce, IMPI, NAF_Id) (TS 33.220 clauses B.3 and B.6): 32 octets. */
export function ksNaf({ ks, bootstrapping, impi, nafId: naf }: KsNafInput): SecretBytes {
  const challenge =
    bootstrapping.mode === 'gba-me'
      ? requireOctets(bootstrapping.rand, 16, 'gba.rand', 'local')
      : utf8(bootstrapping.nonce);
  return gbaKdf(ks, utf8(bootstrapping.mode), challenge, utf8(impi), naf);
}

import { concatBytes, utf8 } from '../../base/bytes.ts';
import { SecretBytes } from '../../base/secret-bytes.ts';
import { md5, sha256 } from '../../crypto/digest.ts';
import { profile } from '../profile.ts';
import { gbaKdf } from './key-derivation.ts';
import { requireOctets } from './octets.ts';

const { tlsMkExtrOctets } = profile.bootstrapping;

/**
 * H(A1), the octets of H(user name ":" realm ":" password): 16 for MD5, 32 for SHA-256. It is worth as much as the password.
 */
export function hashedCredentials(
  algorithm: 'MD5' | 'SHA-256',
  { username, realm, password }: { readonly username: string; readonly realm: string; readonly password: SecretBytes },
): SecretBytes {
  const hash = algorithm === 'MD5' ? md5 : sha256;
  return password.use((octets) => {
    const a1 = concatBytes(utf8(`${username}:${realm}:`), octets);
    const hashed = new SecretBytes(hash(a1));
    a1.fill(0);
    return hashed;
  });
}

/**
 * What GBA_Digest uses for password in the HTTP Digest with the BSF: KDF(H(A1), "GBA_Digest_RESP", TLS_MK_Extr), 32 octets. It is bound
 * to the TLS connection, so that an answer to a server in between fits nowhere else (profile 6.3).
 */
export function gbaDigestPassword(hashedA1: SecretBytes, tlsMasterKeyExtract: SecretBytes): SecretBytes {
  return tlsMasterKeyExtract.use((extract) =>
    gbaKdf(hashedA1, utf8('GBA_Digest_RESP'), requireOctets(extract, tlsMkExtrOctets, 'gba.tlsKey', 'local')),
  );
}

/** Ks = KDF(H(A1), "GBA_Digest_Ks", TLS_MK_Extr, RESP), 32 octets. @param response the `response` value of the digest as sent */
export function gbaDigestKs(hashedA1: SecretBytes, tlsMasterKeyExtract: SecretBytes, response: string): SecretBytes {
  return tlsMasterKeyExtract.use((extract) => {
    requireOctets(extract, tlsMkExtrOctets, 'gba.tlsKey', 'local');
    return gbaKdf(hashedA1, utf8('GBA_Digest_Ks'), extract, utf8(response));
  });
}

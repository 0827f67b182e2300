import type { SecretBytes } from '../../base/secret-bytes.ts';
import type { UbChallenge } from '../../engine/bootstrapping/ub-digest.ts';
import type { TlsKeyExporter } from '../../engine/ports.ts';
import {
  akaDigestPassword,
  bootstrappingKey,
  gbaDigestKs,
  gbaDigestPassword,
  hashedCredentials,
  type AuthenticationVector,
  type KsNafInput,
} from '../../protocol/gba/index.ts';
import { profile } from '../../protocol/profile.ts';

/** What an answer to a challenge has to know. */
export interface Proof {
  /** Of the digest. */
  readonly password: SecretBytes;
  /** @param response of the digest, once it is found right */
  keyInput(response: string): Omit<KsNafInput, 'nafId' | 'impi'>;
  dispose(): void;
}

/** The vector stays the caller's. */
export function akaProof({ keys, rand }: AuthenticationVector): Proof {
  const password = akaDigestPassword('AKAv1-MD5', keys);
  return {
    password,
    keyInput: () => ({ ks: bootstrappingKey(keys.ck, keys.ik), bootstrapping: { mode: 'gba-me', rand } }),
    dispose: () => password.dispose(),
  };
}

/** GBA_Digest (profile 6.3): the secrets are bound to the TLS connection that the answer came over. */
export function digestProof(
  { realm, nonce }: UbChallenge,
  username: string,
  password: SecretBytes,
  exportKey: TlsKeyExporter,
): Proof {
  const { tlsExporterLabel, tlsMkExtrOctets } = profile.bootstrapping;
  const hashed = hashedCredentials('SHA-256', { username, realm, password });
  const extract = exportKey(tlsExporterLabel, tlsMkExtrOctets);
  const derived = gbaDigestPassword(hashed, extract);
  return {
    password: derived,
    keyInput: (response) => ({
      ks: gbaDigestKs(hashed, extract, response),
      bootstrapping: { mode: 'gba-digest', nonce },
    }),
    dispose: () => {
      for (const secret of [hashed, extract, derived]) secret.dispose();
    },
  };
}

import type { SecretBytes } from '../../base/secret-bytes.ts';
import {
  akaDigestPassword,
  bootstrappingKey,
  decodeAkaNonce,
  disposeAkaKeys,
  encodeAuts,
  gbaDigestKs,
  gbaDigestPassword,
  hashedCredentials,
  type AkaKeys,
  type KsNafInput,
} from '../../protocol/gba/index.ts';
import { profile } from '../../protocol/profile.ts';
import type { TlsKeyExporter } from '../ports.ts';
import type { UbChallenge } from './ub-digest.ts';

/** The secrets with which one challenge is answered. */
export interface ChallengeSecrets {
  /** Of the digest. */
  readonly password: SecretBytes;
  /** What Ks_NAF is made of once the BSF has proven itself. @param response of the digest */
  keyInput(response: string): Omit<KsNafInput, 'nafId' | 'impi'>;
  dispose(): void;
}

export type Preparation =
  | {
      readonly ready: 'answer';
      readonly secrets: (exportKey: TlsKeyExporter) => ChallengeSecrets;
      /** Wipes what was prepared when it is not used. */
      readonly discard: () => void;
    }
  /** The sequence numbers of card and network have parted. */
  | { readonly ready: 'resynchronise'; readonly auts: string }
  /** The challenge does not come from somebody who knows our secret. */
  | { readonly ready: 'not-proven'; readonly reason: string }
  /** Our own side cannot answer. */
  | { readonly ready: 'unusable'; readonly reason: string };

/** How an account proves itself to the BSF. */
export interface BootstrapMethod {
  readonly mode: 'gba-aka' | 'gba-digest';
  /** Realm of the first question. */
  readonly realm: string;
  /** Token of the User-Agent header. */
  readonly userAgent: string | undefined;
  prepare(challenge: UbChallenge): Preparation;
}

/** The account's USIM: the one place where its sequence numbers are kept, whatever the run of AKA is for. */
export interface AkaCard {
  /** @throws ProtocolError `malformed` unless RAND and AUTN have 16 octets each */
  authenticate(rand: Uint8Array, autn: Uint8Array): AkaCardOutcome;
}

export type AkaCardOutcome =
  /** Whoever takes the keys disposes them. */
  | { readonly outcome: 'success'; readonly keys: AkaKeys }
  | { readonly outcome: 'mac-failure' }
  | { readonly outcome: 'sync-failure'; readonly auts: Uint8Array }
  /** The card cannot be used on this device. */
  | { readonly outcome: 'unusable'; readonly reason: string };

/** Bootstrapping with AKA (TS 33.220 clause 4.5.2, RFC 3310). @param bsfName realm of the first question */
export function createAkaMethod(card: AkaCard, bsfName: string): BootstrapMethod {
  return {
    mode: 'gba-aka',
    realm: bsfName,
    userAgent: undefined,
    prepare({ algorithm, nonce }) {
      if (algorithm !== 'AKAv1-MD5' && algorithm !== 'AKAv2-MD5') {
        return { ready: 'not-proven', reason: `a challenge with ${algorithm}, which proves no network` };
      }
      const { rand, autn } = decodeAkaNonce(nonce);
      const result = card.authenticate(rand, autn);
      switch (result.outcome) {
        case 'mac-failure':
          return { ready: 'not-proven', reason: 'its challenge was not made with the key of this SIM' };
        case 'unusable':
          return { ready: 'unusable', reason: result.reason };
        case 'sync-failure':
          return { ready: 'resynchronise', auts: encodeAuts(result.auts) };
        case 'success': {
          const { keys } = result;
          const password = akaDigestPassword(algorithm, keys);
          const secrets: ChallengeSecrets = {
            password,
            keyInput: () => ({
              ks: bootstrappingKey(keys.ck, keys.ik),
              bootstrapping: { mode: 'gba-me', rand },
            }),
            dispose: () => {
              password.dispose();
              disposeAkaKeys(keys);
            },
          };
          return { ready: 'answer', secrets: () => secrets, discard: () => secrets.dispose() };
        }
      }
    },
  };
}

/**
 * Bootstrapping with the SIP Digest password (GBA_Digest, profile 6.3). The password of the HTTP digest is bound to the TLS
 * connection, so that an answer is worth nothing on another one.
 * @param realm domain of the home network; no other is answered, since an answer is material for guessing the password
 */
export function createDigestMethod(username: string, password: SecretBytes, realm: string): BootstrapMethod {
  const { digestToken, tlsExporterLabel, tlsMkExtrOctets } = profile.bootstrapping;
  return {
    mode: 'gba-digest',
    realm,
    userAgent: digestToken,
    prepare({ algorithm, realm: asked, nonce }) {
      if (asked !== realm) return { ready: 'not-proven', reason: 'it asked in the name of another network' };
      if (algorithm !== 'MD5' && algorithm !== 'SHA-256') {
        return { ready: 'not-proven', reason: `it asked for ${algorithm}, which needs a SIM` };
      }
      return {
        ready: 'answer',
        discard: () => undefined,
        secrets: (exportKey) => {
          const hashed = hashedCredentials(algorithm, { username, realm, password });
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
        },
      };
    },
  };
}

import { randomId, type Random } from '../../base/random.ts';
import { isSession, type DigestChallenge } from '../../protocol/digest/digest.ts';

/** Where a challenge asks for credentials, and where they go. */
export type CredentialHeader = 'Authorization' | 'Proxy-Authorization';

interface Use {
  count: number;
  /** Of the first request under the nonce: the key of a session variant is bound to it. */
  readonly cnonce: string;
}

const maxNonces = 64;
const maxSpaces = 32;

/**
 * What was learned from challenges: for each header and realm the challenge that was answered last, so that later requests need no
 * round trip more (RFC 3261 clause 22.3), and for each nonce how often it was used (RFC 7616 clause 3.4: `nc` counts requests).
 */
export class CredentialCache {
  readonly #random: Random;
  readonly #spaces = new Map<string, DigestChallenge>();
  readonly #uses = new Map<string, Use>();

  constructor(random: Random) {
    this.#random = random;
  }

  /** Of the realms that were answered in that header. */
  known(header: CredentialHeader): DigestChallenge[] {
    return [...this.#spaces].flatMap(([key, challenge]) => (key.startsWith(`${header}\n`) ? [challenge] : []));
  }

  remember(header: CredentialHeader, challenge: DigestChallenge): void {
    putBounded(this.#spaces, keyOf(header, challenge), challenge, maxSpaces);
  }

  /** Credentials under it were not taken: they are not sent again unasked. */
  forget(header: CredentialHeader, challenge: DigestChallenge): void {
    this.#spaces.delete(keyOf(header, challenge));
  }

  forgetAll(): void {
    this.#spaces.clear();
  }

  /** RFC 7616 clause 3.5: the server names the nonce of the next request. A session variant keeps the nonce that it is bound to. */
  renonce(header: CredentialHeader, used: DigestChallenge, nonce: string): void {
    const known = this.#spaces.get(keyOf(header, used));
    if (known?.nonce !== used.nonce || isSession(used.algorithm)) return;
    this.remember(header, { ...known, nonce });
  }

  /** Count and client nonce of the next request under the nonce. */
  use({ realm, nonce, algorithm }: DigestChallenge): { readonly nonceCount: number; readonly cnonce: string } {
    const key = `${realm}\n${nonce}`;
    const use = this.#uses.get(key) ?? { count: 0, cnonce: randomId(this.#random, 16) };
    use.count += 1;
    this.#uses.delete(key);
    putBounded(this.#uses, key, use, maxNonces);
    const isFresh = use.count > 1 && !isSession(algorithm);
    return { nonceCount: use.count, cnonce: isFresh ? randomId(this.#random, 16) : use.cnonce };
  }
}

/** Sets the entry, and drops the oldest ones above `limit`. @returns what was dropped. */
export function putBounded<V>(map: Map<string, V>, key: string, value: V, limit: number): V | undefined {
  map.set(key, value);
  const [oldest] = map.entries();
  if (map.size <= limit || oldest === undefined) return undefined;
  map.delete(oldest[0]);
  return oldest[1];
}

function keyOf(header: CredentialHeader, { realm }: DigestChallenge): string {
  return `${header}\n${realm}`;
}

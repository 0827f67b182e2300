import { utf8 } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { SecretBytes } from '../../base/secret-bytes.ts';
import { constantTimeEqual } from '../../crypto/constant-time.ts';
import { secureRandom } from '../../crypto/random.ts';
import {
  akaDigestPassword,
  decodeAuts,
  disposeAkaKeys,
  encodeAkaNonce,
  type AkaDigestAlgorithm,
  type AuthenticationVector,
} from '../../protocol/gba/index.ts';
import { digestResponse } from '../../protocol/digest/digest.ts';
import type { SipMessage } from '../../protocol/sip/message.ts';
import type { LabAuthenticationCentre } from '../authentication-centre.ts';
import type { LabUser } from '../users.ts';
import { readCredentials, type Verdict } from './authentication.ts';

interface Challenge {
  readonly user: LabUser;
  readonly vector: AuthenticationVector;
  /** Milliseconds since 1970. */
  readonly until: number;
}

const lifetimeMilliseconds = 60_000;
const maxChallenges = 1000;

/** The server side of AKA Digest (RFC 3310, TS 24.229 clause 5.4.1.2): every challenge serves once. */
export class AkaAuthenticator {
  readonly #realm: string;
  readonly #centre: LabAuthenticationCentre;
  readonly #algorithm: AkaDigestAlgorithm;
  readonly #challenges = new Map<string, Challenge>();

  constructor(realm: string, centre: LabAuthenticationCentre, algorithm: AkaDigestAlgorithm) {
    this.#realm = realm;
    this.#centre = centre;
    this.#algorithm = algorithm;
  }

  /** Value for WWW-Authenticate. */
  challenge(user: LabUser, now: number): string {
    const vector = this.#centre.createVector(user);
    const nonce = encodeAkaNonce({ ...vector, serverData: secureRandom.bytes(8) });
    this.#challenges.set(nonce, { user, vector, until: now + lifetimeMilliseconds });
    const [oldest] = this.#challenges.keys();
    if (this.#challenges.size > maxChallenges && oldest !== undefined) this.#drop(oldest);
    return `Digest realm="${this.#realm}", nonce="${nonce}", algorithm=${this.#algorithm}, qop="auth"`;
  }

  verify(request: SipMessage, user: LabUser, now: number): Verdict {
    const credentials = readCredentials(request);
    const nonce = credentials?.get('nonce') ?? '';
    // TS 24.229 clause 5.1.1.2: the first REGISTER only names the IMPI.
    if (credentials === undefined || nonce === '') return { kind: 'challenge', stale: false };
    const challenge = this.#challenges.get(nonce);
    if (challenge === undefined || challenge.user !== user) return { kind: 'challenge', stale: true };
    try {
      if (challenge.until < now) return { kind: 'challenge', stale: true };
      return this.#judge(request, credentials, challenge);
    } finally {
      this.#drop(nonce);
    }
  }

  #judge(request: SipMessage, credentials: ReadonlyMap<string, string>, { user, vector }: Challenge): Verdict {
    const auts = credentials.get('auts');
    const password = auts === undefined ? akaDigestPassword(this.#algorithm, vector.keys) : emptyPassword();
    const isRight = this.#isRight(request, credentials, user, password);
    password.dispose();
    // An empty response is the word of a SIM to which we did not prove ourselves (TS 24.229 clause 5.1.1.5.3).
    if (!isRight) return { kind: 'refused' };
    if (auts === undefined) return { kind: 'accepted', algorithm: this.#algorithm };
    return this.#resynchronise(user, vector.rand, auts) ? { kind: 'challenge', stale: false } : { kind: 'refused' };
  }

  #resynchronise(user: LabUser, rand: Uint8Array, auts: string): boolean {
    try {
      return this.#centre.resynchronise(user, rand, decodeAuts(auts));
    } catch (error) {
      if (error instanceof ProtocolError) return false;
      throw error;
    }
  }

  #isRight(
    { start, body }: SipMessage,
    credentials: ReadonlyMap<string, string>,
    user: LabUser,
    password: SecretBytes,
  ): boolean {
    const text = (name: string): string => credentials.get(name) ?? '';
    if (start.kind !== 'request' || text('uri') !== start.uri || text('qop') !== 'auth') return false;
    if (text('username') !== user.privateIdentity || text('realm') !== this.#realm) return false;
    if (text('algorithm').toUpperCase() !== this.#algorithm.toUpperCase()) return false;
    const expected = digestResponse({
      algorithm: this.#algorithm,
      username: user.privateIdentity,
      realm: this.#realm,
      password,
      method: start.method,
      uri: start.uri,
      nonce: text('nonce'),
      qop: 'auth',
      nonceCount: text('nc'),
      cnonce: text('cnonce'),
      body,
    });
    return constantTimeEqual(utf8(expected), utf8(text('response')));
  }

  #drop(nonce: string): void {
    const challenge = this.#challenges.get(nonce);
    if (challenge !== undefined) disposeAkaKeys(challenge.vector.keys);
    this.#challenges.delete(nonce);
  }
}

function emptyPassword(): SecretBytes {
  return new SecretBytes(new Uint8Array());
}

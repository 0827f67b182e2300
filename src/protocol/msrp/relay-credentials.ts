import { equalBytes, utf8 } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { randomId, type Random } from '../../base/random.ts';
import type { SecretBytes } from '../../base/secret-bytes.ts';
import {
  answerChallenge,
  digestResponse,
  selectChallenge,
  type DigestAlgorithm,
  type DigestChallenge,
} from '../digest/digest.ts';

/** Who we are to a relay. */
export interface RelayUser {
  readonly username: string;
  /** UTF-8 octets. */
  readonly password: SecretBytes;
  /** The only realm whose challenges are answered; any when absent. */
  readonly realm?: string;
}

/** RFC 4976 section 9.1: no session variants, which do not go together with `nextnonce`. */
const algorithms: readonly DigestAlgorithm[] = ['SHA-256', 'MD5'];

/** What was sent last, to check the relay's own proof against. */
interface Sent {
  readonly challenge: DigestChallenge;
  readonly nonceCount: number;
  readonly cnonce: string;
}

/** The digest between us and one relay (RFC 4976 section 9.1): challenges in, Authorization out. */
export class RelayCredentials {
  readonly #user: RelayUser;
  readonly #uri: string;
  readonly #random: Random;
  #challenge: DigestChallenge | undefined;
  #nonceCount = 0;
  #sent: Sent | undefined;

  /** @param uri of the relay: the rightmost of the To-Path, which the digest covers. */
  constructor(user: RelayUser, uri: string, random: Random) {
    this.#user = user;
    this.#uri = uri;
    this.#random = random;
  }

  /** Takes the challenge of a 401. @throws ProtocolError `unsupported` or `policy-denied` when it is not to be answered. */
  challenged(values: readonly string[]): DigestChallenge {
    const challenge = selectChallenge(values, algorithms);
    // "Clients and relays MUST include a qop parameter"; integrity is the business of TLS.
    if (challenge?.qop !== 'auth') {
      throw new ProtocolError('unsupported', 'no challenge that can be answered', {
        field: 'msrp.WWW-Authenticate',
        expected: `Digest with qop auth and ${algorithms.join(' or ')}`,
      });
    }
    const { realm } = this.#user;
    if (realm !== undefined && realm !== challenge.realm) {
      throw new ProtocolError('policy-denied', 'the relay asks for another realm', {
        field: 'msrp.WWW-Authenticate',
        expected: 'the realm of the configuration',
      });
    }
    this.#challenge = challenge;
    this.#nonceCount = 0;
    return challenge;
  }

  /**
   * The value of an Authorization header, or undefined before any challenge.
   * @param namesUri whether to write the `uri` parameter, which RFC 2617 has and RFC 4976 section 7 leaves out.
   */
  authorization(namesUri: boolean): string | undefined {
    const challenge = this.#challenge;
    if (challenge === undefined) return undefined;
    this.#nonceCount += 1;
    const nonceCount = this.#nonceCount;
    const cnonce = randomId(this.#random, 12);
    this.#sent = { challenge, nonceCount, cnonce };
    const { username, password } = this.#user;
    const body = new Uint8Array();
    return answerChallenge({
      challenge,
      username,
      password,
      method: 'AUTH',
      uri: this.#uri,
      body,
      nonceCount,
      cnonce,
      namesUri,
    });
  }

  /** Whether the relay's proof is right (RFC 7616 clause 3.5: the response with an empty method). */
  provesRelay(responseAuth: string): boolean {
    if (this.#sent === undefined) return false;
    const { challenge, nonceCount, cnonce } = this.#sent;
    const { username, password } = this.#user;
    const { algorithm, realm, nonce, qop } = challenge;
    const right = digestResponse({
      algorithm,
      username,
      realm,
      password,
      method: '',
      uri: this.#uri,
      nonce,
      qop,
      nonceCount: nonceCount.toString(16).padStart(8, '0'),
      cnonce,
      body: new Uint8Array(),
    });
    return equalBytes(utf8(right), utf8(responseAuth.toLowerCase()));
  }

  /** The nonce that the relay wants next time. */
  renonce(nextNonce: string | undefined): void {
    if (this.#challenge === undefined || nextNonce === undefined) return;
    this.#challenge = { ...this.#challenge, nonce: nextNonce };
    this.#nonceCount = 0;
  }
}

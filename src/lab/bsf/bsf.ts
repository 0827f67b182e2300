import { toBase64, utf8 } from '../../base/bytes.ts';
import type { Clock } from '../../base/clock.ts';
import { ProtocolError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import type { Random } from '../../base/random.ts';
import type { SecretBytes } from '../../base/secret-bytes.ts';
import { constantTimeEqual } from '../../crypto/constant-time.ts';
import { provingInfo, ubResponse, type UbChallenge } from '../../engine/bootstrapping/ub-digest.ts';
import type { TlsKeyExporter } from '../../engine/ports.ts';
import type { NafKey } from '../../kms/naf-keys.ts';
import type { ZnQuestion } from '../../kms/http/zn-format.ts';
import {
  decodeAuts,
  encodeAkaNonce,
  encodeBootstrappingInfo,
  formatBtid,
  ksNaf,
  nafId,
  type AuthenticationVector,
} from '../../protocol/gba/index.ts';
import { profile } from '../../protocol/profile.ts';
import { quoted } from '../../protocol/digest/auth-params.ts';
import { disposeVector, OpenChallenges, type OpenChallenge } from './challenges.ts';
import { KeyStore } from './key-store.ts';
import { akaProof, digestProof, type Proof } from './proofs.ts';
import { readUbAuthorization, type UbAuthorization } from './ub-questions.ts';

/** The home subscriber server, as a BSF needs it. */
export interface BsfSubscribers {
  find(privateIdentity: string): BsfSubscriber | undefined;
}

export interface BsfSubscriber {
  /** IMPUs. */
  readonly identities: readonly string[];
  /** For GBA_Digest; absent for somebody who has none. */
  readonly password?: SecretBytes;
  /** A fresh vector of the authentication centre; absent for somebody without a SIM. */
  readonly createVector?: () => AuthenticationVector;
  /** Takes AUTS for the RAND of a vector; false when the SIM did not make it. */
  readonly resynchronise?: (rand: Uint8Array, auts: Uint8Array) => boolean;
}

export interface BsfOptions {
  /** Name of the BSF: realm of AKA and host of its B-TIDs. */
  readonly name: string;
  /** Domain of the home network: realm of GBA_Digest. */
  readonly domain: string;
  readonly subscribers: BsfSubscribers;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly keyLifetimeSeconds?: number;
}

export interface UbQuestion {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly authorization: string | undefined;
  readonly userAgent: string | undefined;
  /** Of the TLS connection that the question came over. */
  readonly exportKey: TlsKeyExporter;
}

export interface UbAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

const challengeSeconds = 60;
const nonceOctets = 16;
const btidOctets = 16;

/**
 * Bootstrapping server function (TS 33.220 clause 4.5.2, TS 24.109 clause 4): proves subscribers by AKA or, for a User-Agent with the
 * token of GBA_Digest, by their password, and gives each NAF its own key of them.
 */
export class Bsf {
  readonly #options: BsfOptions;
  readonly #challenges = new OpenChallenges();
  readonly #keys = new KeyStore();
  /** Of the next bootstrappings. */
  keyLifetimeSeconds: number;

  constructor(options: BsfOptions) {
    this.#options = options;
    this.keyLifetimeSeconds = options.keyLifetimeSeconds ?? profile.bootstrapping.keyLifetimeSeconds;
  }

  get keys(): number {
    return this.#keys.size;
  }

  /** Loses every key and challenge, as a restart does. */
  forget(): void {
    this.#keys.clear();
    this.#challenges.clear();
  }

  /** Reference point Ub. */
  handle(question: UbQuestion): UbAnswer {
    if (question.method !== 'GET') return plain(405, { Allow: 'GET' });
    if (question.authorization === undefined) return plain(400);
    try {
      const authorization = readUbAuthorization(question.authorization);
      const subscriber = this.#options.subscribers.find(authorization.username);
      if (subscriber === undefined) return this.#refuse(authorization, 'unknown subscriber');
      if (authorization.nonce === '') return this.#challenge(question, authorization, subscriber);
      return this.#answered(question, authorization, subscriber);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#options.log.log('info', 'bsf.malformed', { reason: error.message });
      return plain(400);
    }
  }

  /**
   * Reference point Zn (TS 33.220 clause 4.5.3).
   * @param nafNames what the NAF's certificate proves: it gets keys in these names only
   */
  keyForNaf(
    { btid, nafFqdn, uaProtocolId }: ZnQuestion,
    nafNames: readonly string[],
  ): NafKey | 'forbidden' | undefined {
    const { clock, subscribers, log } = this.#options;
    const isOwn = nafNames.some((name) => name.toLowerCase() === nafFqdn.toLowerCase());
    const kept = isOwn ? this.#keys.get(btid, clock.now()) : undefined;
    const subscriber = kept === undefined ? undefined : subscribers.find(kept.input.impi);
    const outcome = isOwn ? (subscriber === undefined ? 'unknown' : 'given') : 'forbidden';
    log.log('info', 'bsf.naf', { naf: nafFqdn, btid, outcome });
    if (!isOwn) return 'forbidden';
    if (kept === undefined || subscriber === undefined) return undefined;
    return {
      privateIdentity: kept.input.impi,
      identities: subscriber.identities,
      key: ksNaf({ ...kept.input, nafId: nafId(nafFqdn, uaProtocolId) }),
      bootstrappedAt: kept.bootstrappedAt,
      validUntil: kept.validUntil,
    };
  }

  #challenge(
    { userAgent }: Pick<UbQuestion, 'userAgent'>,
    authorization: UbAuthorization,
    subscriber: BsfSubscriber,
    isStale = false,
  ): UbAnswer {
    const { name, domain, random, clock } = this.#options;
    const isDigest = hasToken(userAgent, profile.bootstrapping.digestToken);
    const vector = isDigest ? undefined : subscriber.createVector?.();
    if (isDigest ? subscriber.password === undefined : vector === undefined) {
      return this.#refuse(authorization, 'no credential of this kind');
    }
    const challenge: UbChallenge = {
      realm: isDigest ? domain : name,
      nonce:
        vector === undefined
          ? toBase64(random.bytes(nonceOctets))
          : encodeAkaNonce({ ...vector, serverData: new Uint8Array() }),
      opaque: toBase64(random.bytes(nonceOctets)),
      algorithm: isDigest ? 'SHA-256' : 'AKAv1-MD5',
      stale: isStale,
    };
    const now = clock.now();
    const open = { privateIdentity: authorization.username, challenge, vector, until: now + challengeSeconds * 1000 };
    this.#challenges.put(open, now);
    return plain(401, { 'WWW-Authenticate': challengeHeader(challenge) });
  }

  #answered(question: UbQuestion, authorization: UbAuthorization, subscriber: BsfSubscriber): UbAnswer {
    const open = this.#challenges.take(authorization.nonce, this.#options.clock.now());
    // A nonce serves once: whoever comes with a used one is asked anew, and proves nothing by it.
    if (open === undefined) return this.#challenge(question, authorization, subscriber, true);
    try {
      if (open.privateIdentity !== authorization.username || !fits(question, authorization, open.challenge)) {
        return this.#refuse(authorization, 'not an answer to the challenge');
      }
      if (authorization.auts !== undefined) return this.#resynchronised(question, authorization, subscriber, open);
      const proof = proofOf(open, subscriber, question.exportKey);
      if (proof === undefined) return this.#refuse(authorization, 'no credential of this kind');
      try {
        return this.#proven(authorization, open, proof);
      } finally {
        proof.dispose();
      }
    } finally {
      disposeVector(open);
    }
  }

  #proven(authorization: UbAuthorization, { challenge, vector }: OpenChallenge, proof: Proof): UbAnswer {
    const { clock, random, name, log } = this.#options;
    const { username, uri, cnonce, response } = authorization;
    const subject = { username, uri };
    const expected = ubResponse(challenge, subject, proof.password, cnonce, 'GET', new Uint8Array());
    if (!constantTimeEqual(utf8(response), utf8(expected))) return this.#refuse(authorization, 'wrong proof');
    const bootstrappedAt = clock.now();
    const validUntil = bootstrappedAt + this.keyLifetimeSeconds * 1000;
    const btid = formatBtid({ value: vector?.rand ?? random.bytes(btidOctets), host: name });
    const input = { ...proof.keyInput(response), impi: username };
    this.#keys.put({ btid, input, bootstrappedAt, validUntil }, bootstrappedAt);
    log.log('info', 'bsf.bootstrapped', { subscriber: username, mode: input.bootstrapping.mode, btid, validUntil });
    const body = encodeBootstrappingInfo({ btid, lifetime: validUntil });
    return {
      status: 200,
      headers: {
        'Content-Type': profile.bootstrapping.contentType,
        'Authentication-Info': provingInfo(challenge, subject, proof.password, cnonce, body),
      },
      body,
    };
  }

  #resynchronised(
    question: UbQuestion,
    authorization: UbAuthorization,
    subscriber: BsfSubscriber,
    { vector }: OpenChallenge,
  ): UbAnswer {
    const auts = decodeAuts(authorization.auts ?? '');
    if (vector === undefined || subscriber.resynchronise?.(vector.rand, auts) !== true) {
      return this.#refuse(authorization, 'AUTS is not of this SIM');
    }
    this.#options.log.log('info', 'bsf.resynchronised', { subscriber: authorization.username });
    return this.#challenge(question, authorization, subscriber);
  }

  #refuse({ username }: UbAuthorization, reason: string): UbAnswer {
    this.#options.log.log('info', 'bsf.refused', { subscriber: username, reason });
    return plain(403);
  }
}

function proofOf(
  { challenge, vector, privateIdentity }: OpenChallenge,
  { password }: BsfSubscriber,
  exportKey: TlsKeyExporter,
): Proof | undefined {
  if (vector !== undefined) return akaProof(vector);
  return password === undefined ? undefined : digestProof(challenge, privateIdentity, password, exportKey);
}

/** The parts of an answer that no hash has to be computed for. */
function fits({ target }: UbQuestion, authorization: UbAuthorization, challenge: UbChallenge): boolean {
  return (
    authorization.uri === target &&
    authorization.realm === challenge.realm &&
    authorization.opaque === challenge.opaque &&
    authorization.qop === 'auth-int' &&
    authorization.nonceCount === '00000001' &&
    authorization.cnonce !== ''
  );
}

function challengeHeader({ realm, nonce, opaque, algorithm, stale }: UbChallenge): string {
  const text = (name: string, value: string): string => `${name}=${quoted(value, `bsf.challenge.${name}`)}`;
  const fields = [text('realm', realm), text('nonce', nonce), `algorithm=${algorithm}`, 'qop="auth-int"'];
  if (opaque !== undefined) fields.push(text('opaque', opaque));
  if (stale) fields.push('stale=true');
  return `Digest ${fields.join(', ')}`;
}

/** A product token of a User-Agent header stands alone, with or without a version. */
function hasToken(userAgent: string | undefined, token: string): boolean {
  return (userAgent ?? '').split(/\s+/).some((product) => product.split('/')[0] === token);
}

const plain = (status: number, headers: Readonly<Record<string, string>> = {}): UbAnswer => ({
  status,
  headers,
  body: new Uint8Array(),
});

import { SecretBytes } from '../../base/secret-bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import { randomId, type Random } from '../../base/random.ts';
import { decodeBootstrappingInfo, parseBtid } from '../../protocol/gba/index.ts';
import { profile } from '../../protocol/profile.ts';
import type { BsfReply, TlsKeyExporter } from '../ports.ts';
import type { BootstrapMethod, ChallengeSecrets } from './bootstrap-method.ts';
import { BootstrappedKey } from './bootstrapped-key.ts';
import {
  answerUbChallenge,
  firstAuthorization,
  isProvenAnswer,
  readUbChallenge,
  type UbChallenge,
  type UbResponse,
  type UbSubject,
} from './ub-digest.ts';

/** Why a bootstrapping came to nothing. */
export type BootstrapFailure =
  /** The other side did not prove that it is the home network. */
  | 'not-proven'
  /** The BSF does not know the subscriber, or the SIM or password is wrong. */
  | 'not-accepted'
  /** The BSF is overloaded or ill: later may be better. */
  | 'unavailable'
  /** An answer that TS 24.109 does not know, or a SIM that cannot be used here. */
  | 'unusable';

export type BootstrapStep =
  | {
      readonly step: 'ask';
      /** Headers of the next GET. */
      readonly compose: (exportKey: TlsKeyExporter) => Readonly<Record<string, string>>;
    }
  | { readonly step: 'done'; readonly key: BootstrappedKey }
  | { readonly step: 'failed'; readonly failure: BootstrapFailure; readonly reason: string };

interface Answered {
  readonly response: UbResponse;
  readonly secrets: ChallengeSecrets;
}

/** A resynchronisation, or a nonce that went stale on the way: once each, a BSF that wants more is not working. */
const maxChallenges = 3;

/**
 * The UE's side of one bootstrapping over Ub (TS 33.220 clause 4.5.2, TS 24.109 clause 4): question without proof, challenge,
 * question with proof, answer whose proof is checked. Sans-IO: `begin` and each `handle` say what to do next.
 */
export class BootstrapExchange {
  readonly #subject: UbSubject;
  readonly #method: BootstrapMethod;
  readonly #random: Random;
  #challenges = 0;
  #answered: Answered | undefined;
  /** Wipes what was prepared for a question that was not asked. */
  #discard: () => void = () => undefined;

  constructor(subject: UbSubject, method: BootstrapMethod, random: Random) {
    this.#subject = subject;
    this.#method = method;
    this.#random = random;
  }

  begin(): BootstrapStep {
    const authorization = firstAuthorization(this.#subject, this.#method.realm);
    return { step: 'ask', compose: () => this.#headers(authorization) };
  }

  /** @param now milliseconds since 1970 */
  handle(reply: BsfReply, now: number): BootstrapStep {
    const answered = this.#answered;
    this.#answered = undefined;
    try {
      if (reply.status === 401) return this.#challenged(reply, answered !== undefined);
      if (reply.status === 200 && answered !== undefined) return finish(answered, reply, now);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return { step: 'failed', failure: 'unusable', reason: error.message };
    } finally {
      answered?.secrets.dispose();
    }
    return refusal(reply.status);
  }

  /** Wipes what is left of an exchange that is given up. */
  dispose(): void {
    this.#discard();
    this.#answered?.secrets.dispose();
    this.#answered = undefined;
  }

  #challenged({ headers }: BsfReply, isAgain: boolean): BootstrapStep {
    const challenge = readUbChallenge(headers['www-authenticate']);
    this.#challenges += 1;
    if (isAgain && !challenge.stale) {
      return { step: 'failed', failure: 'not-accepted', reason: 'it did not take the proof' };
    }
    if (this.#challenges > maxChallenges) {
      return { step: 'failed', failure: 'unusable', reason: 'it asks again and again' };
    }
    const prepared = this.#method.prepare(challenge);
    switch (prepared.ready) {
      case 'not-proven':
      case 'unusable':
        return { step: 'failed', failure: prepared.ready, reason: prepared.reason };
      case 'resynchronise':
        return { step: 'ask', compose: () => this.#headers(this.#resynchronisation(challenge, prepared.auts)) };
      case 'answer':
        this.#discard = prepared.discard;
        return {
          step: 'ask',
          compose: (exportKey) => {
            this.#discard = () => undefined;
            const secrets = prepared.secrets(exportKey);
            const response = answerUbChallenge(challenge, this.#subject, secrets.password, this.#cnonce());
            this.#answered = { response, secrets };
            return this.#headers(response.authorization);
          },
        };
    }
  }

  #resynchronisation(challenge: UbChallenge, auts: string): string {
    return answerUbChallenge(challenge, this.#subject, noPassword, this.#cnonce(), auts).authorization;
  }

  #cnonce(): string {
    return randomId(this.#random, 16);
  }

  #headers(authorization: string): Readonly<Record<string, string>> {
    const { userAgent } = this.#method;
    return { Authorization: authorization, ...(userAgent === undefined ? {} : { 'User-Agent': userAgent }) };
  }
}

const noPassword = new SecretBytes(new Uint8Array());

function finish({ response, secrets }: Answered, { headers, body }: BsfReply, now: number): BootstrapStep {
  // The proof comes first: nothing of the body is read before it is known who wrote it.
  if (!isProvenAnswer(response, secrets.password, headers['authentication-info'], body)) {
    return { step: 'failed', failure: 'not-proven', reason: 'its answer carries no valid proof' };
  }
  const mediaType = headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (mediaType !== profile.bootstrapping.contentType) {
    return { step: 'failed', failure: 'unusable', reason: 'its answer is no BootstrappingInfo' };
  }
  const { btid, lifetime } = decodeBootstrappingInfo(body);
  parseBtid(btid);
  if (lifetime <= now) return { step: 'failed', failure: 'unusable', reason: 'its key has ended already' };
  const input = { ...secrets.keyInput(response.response), impi: response.subject.username };
  return { step: 'done', key: new BootstrappedKey(btid, lifetime, input) };
}

function refusal(status: number): BootstrapStep {
  const reason = `HTTP status ${status}`;
  if (status === 403 || status === 404) return { step: 'failed', failure: 'not-accepted', reason };
  return { step: 'failed', failure: status >= 500 || status === 429 ? 'unavailable' : 'unusable', reason };
}

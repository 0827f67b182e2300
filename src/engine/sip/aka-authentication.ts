import {
  akaDigestPassword,
  decodeAkaNonce,
  disposeAkaKeys,
  encodeAuts,
  type AkaDigestAlgorithm,
} from '../../protocol/gba/index.ts';
import { ProtocolError } from '../../base/errors.ts';
import type { Logger } from '../../base/log.ts';
import { SecretBytes } from '../../base/secret-bytes.ts';
import { akaAlgorithms, type DigestChallenge } from '../../protocol/digest/digest.ts';
import type { SoftwareSim } from '../sim/index.ts';
import type { AuthenticationFailure } from './types.ts';

/** What to put into the answer to a challenge. */
export type AkaAnswer =
  /** Whoever takes the password disposes it. */
  | { readonly kind: 'password'; readonly password: SecretBytes }
  | { readonly kind: 'resynchronise'; readonly password: SecretBytes; readonly auts: string }
  /** The sender did not prove itself: an empty response tells it so. */
  | { readonly kind: 'refuse' }
  /** Nothing is sent. */
  | { readonly kind: 'none' };

/** AKA over the digest of REGISTER (RFC 3310, TS 24.229 clause 5.1.1.5): the SIM's verdicts, and what they mean for the registration. */
export class AkaAuthentication {
  readonly #sim: SoftwareSim;
  readonly #log: Logger;
  #failure: AuthenticationFailure | undefined;
  #hasNetworkProvenItself = false;
  #hasAnswered = false;

  constructor(sim: SoftwareSim, log: Logger) {
    this.#sim = sim;
    this.#log = log;
  }

  /** What is to be held against the network; `isAccepted` when it said yes to the request. */
  objection(isAccepted: boolean): AuthenticationFailure | undefined {
    return this.#failure ?? (isAccepted && !this.#hasNetworkProvenItself ? unproven : undefined);
  }

  /**
   * Whether one more challenge to the same request deserves an answer: after our word that the first did not do, or when the network
   * says that our answer came too late.
   */
  mayAnswerAgain(isStale: boolean): boolean {
    return this.#hasAnswered && (isStale || this.#failure !== undefined);
  }

  /** The network has to prove itself from here on. */
  beginRegistration(): void {
    this.#hasNetworkProvenItself = false;
  }

  /** A request begins that may be challenged. RES is a password for one time (RFC 3310 clause 3.1), so nothing is left of the last. */
  beginRequest(): void {
    this.#failure = undefined;
    this.#hasAnswered = false;
  }

  /** The registrar asked for something else than AKA. */
  noteOtherChallenge(): void {
    this.#failure = noAka;
  }

  answer({ nonce, algorithm }: DigestChallenge): AkaAnswer {
    if (!isAka(algorithm)) return { kind: 'none' };
    this.#hasAnswered = true;
    let outcome: ReturnType<SoftwareSim['authenticate']>;
    try {
      const { rand, autn } = decodeAkaNonce(nonce);
      outcome = this.#sim.authenticate(rand, autn);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      // Without RAND and AUTN in it the nonce proves nothing.
      outcome = { outcome: 'mac-failure', reason: 'mac' };
    }
    const isFine = outcome.outcome === 'success';
    this.#log.log(isFine ? 'info' : 'warn', 'sip.aka', { algorithm, outcome: outcome.outcome });
    switch (outcome.outcome) {
      case 'success': {
        const password = akaDigestPassword(algorithm, outcome.keys);
        disposeAkaKeys(outcome.keys);
        this.#failure = undefined;
        this.#hasNetworkProvenItself = true;
        return { kind: 'password', password };
      }
      case 'mac-failure':
        this.#failure = outcome.reason === 'amf' ? wrongAmf : wrongMac;
        return { kind: 'refuse' };
      case 'sync-failure':
        this.#failure = outOfStep;
        // RFC 3310 clause 3.4: the credentials are calculated with an empty password then.
        return { kind: 'resynchronise', password: new SecretBytes(new Uint8Array()), auts: encodeAuts(outcome.auts) };
      case 'unusable':
        this.#failure = { code: 'sim-unusable', explanation: `The SIM cannot be used: ${outcome.reason}.` };
        return { kind: 'none' };
    }
  }
}

const wrongMac: AuthenticationFailure = {
  code: 'network-not-authentic',
  explanation:
    'The network could not prove itself: it does not know the key of this SIM. Nothing was registered. ' +
    'Check the key (K and OPc) of the account, or whom this device is connected to.',
};

const wrongAmf: AuthenticationFailure = {
  code: 'network-not-authentic',
  explanation:
    'The network could not prove itself: its challenge was made for another use (its AMF is not the one of the account). ' +
    'Nothing was registered.',
};

const noAka: AuthenticationFailure = {
  code: 'network-not-authentic',
  explanation:
    'The network could not prove itself: it asked for a password or for something unknown, not for the SIM. Nothing was answered. ' +
    'Check whether this account has a SIM in that network.',
};

const outOfStep: AuthenticationFailure = {
  code: 'sequence-out-of-step',
  explanation:
    'The challenges of the network were used before or lie too far ahead, and it did not take the word of this SIM where they ' +
    'should be. Nothing was registered.',
};

const unproven: AuthenticationFailure = {
  code: 'network-not-authentic',
  explanation: 'The network could not prove itself: it said yes without a challenge. The registration is not used.',
};

function isAka(algorithm: string): algorithm is AkaDigestAlgorithm {
  return akaAlgorithms.some((known) => known === algorithm);
}

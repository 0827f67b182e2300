import { Core } from 'sip.js';
import { toHex } from '../../base/bytes.ts';
import { randomId, type Random } from '../../base/random.ts';
import { quoted } from '../../protocol/digest/auth-params.ts';
import {
  akaAlgorithms,
  answerChallenge,
  initialAuthorization,
  isWeaker,
  passwordAlgorithms,
  readNextNonce,
  refuseChallenge,
  selectChallenge,
  type DigestAnswerInput,
  type DigestChallenge,
} from '../../protocol/digest/digest.ts';
import type { SipMessage } from '../../protocol/sip/message.ts';
import type { EnginePorts } from '../ports.ts';
import { AkaAuthentication } from './aka-authentication.ts';
import { showTelUris } from './tel-uri.ts';
import type { AuthenticationFailure, SipAccount } from './types.ts';
import { decodeBody } from './wire-translation.ts';

type Question = Pick<DigestAnswerInput, 'challenge' | 'nonceCount' | 'method' | 'uri' | 'body'>;

const challengeHeaders = { 401: 'WWW-Authenticate', 407: 'Proxy-Authenticate' } as const;
const maxPending = 64;

/**
 * Digest for SIP.js, which knows MD5 only, reads one challenge (the last) and may fail to parse what it does not know:
 * `hideChallenges` keeps the strongest challenge here and leaves SIP.js a ticket for it, `createAuthentication` redeems it.
 */
export class DigestAuthenticator {
  readonly #account: SipAccount;
  readonly #random: Random;
  readonly #aka: AkaAuthentication | undefined;
  readonly #pending = new Map<string, DigestChallenge>();
  /** Of the last challenge of the registrar, so that renewals need no round trip more. */
  #registrar: { readonly challenge: DigestChallenge; uses: number } | undefined;

  constructor(account: SipAccount, { random, log }: Pick<EnginePorts, 'random' | 'log'>) {
    this.#account = account;
    this.#random = random;
    const { authentication } = account;
    this.#aka = authentication.mode === 'aka' ? new AkaAuthentication(authentication.sim, log) : undefined;
  }

  /** A registration begins from nothing: the network has to prove itself in it, where it does so at all. */
  beginRegistration(): void {
    this.#aka?.beginRegistration();
  }

  /** What is to be held against the network, which `isAccepted` says that it registered us; nothing with a password. */
  objection(isAccepted: boolean): AuthenticationFailure | undefined {
    return this.#aka?.objection(isAccepted);
  }

  /**
   * @param fromRegistrar anybody on the way may challenge other requests: only who asks in the name of the home network,
   * and under no weaker hash than its registrar uses, gets an answer, which is material for guessing the password.
   * @returns false for a 401 or 407 that holds no challenge that we answer.
   */
  hideChallenges(response: SipMessage, fromRegistrar: boolean): boolean {
    const { status, headers } = response;
    if (status !== 401 && status !== 407) return true;
    const name = challengeHeaders[status];
    const aka = this.#aka;
    const challenge = selectChallenge(headers.getAll(name), aka === undefined ? passwordAlgorithms : akaAlgorithms);
    for (const header of Object.values(challengeHeaders)) headers.remove(header);
    if (challenge === undefined && fromRegistrar) aka?.noteOtherChallenge();
    const isToAnswer = fromRegistrar || (aka === undefined && challenge !== undefined && this.#isHome(challenge));
    if (challenge === undefined || !isToAnswer) return false;
    // SIP.js answers another challenge to the same request only if that is stale, and only one.
    const isStale = aka === undefined ? challenge.stale : aka.mayAnswerAgain(challenge.stale);
    const ticket = toHex(this.#random.bytes(16));
    this.#pending.set(ticket, challenge);
    const [oldest] = this.#pending.keys();
    if (this.#pending.size > maxPending && oldest !== undefined) this.#pending.delete(oldest);
    headers.add(name, `Digest realm="hidden", nonce=${quoted(ticket, 'sip.ticket')}${isStale ? ', stale=true' : ''}`);
    return true;
  }

  /** RFC 7616 clause 3.5: the registrar may name the nonce of the next REGISTER in its 200. */
  learnNextNonce(response: SipMessage): void {
    const nonce = readNextNonce(response.headers.get('Authentication-Info'));
    if (this.#registrar === undefined || nonce === undefined) return;
    this.#registrar = { challenge: { ...this.#registrar.challenge, nonce }, uses: 0 };
  }

  /** `Authorization` of a REGISTER that nobody challenged yet. */
  registerAuthorization(method: string, uri: string): string {
    this.#aka?.beginRequest();
    const known = this.#registrar;
    if (known === undefined) return initialAuthorization(this.#account.privateIdentity, this.#account.domain, uri);
    return this.#answer({ challenge: known.challenge, nonceCount: ++known.uses, method, uri, body: new Uint8Array() });
  }

  /** What SIP.js calls for each request that was challenged; it allows one retry, and one more when stale. */
  createAuthentication(loggerFactory: Core.LoggerFactory): Core.DigestAuthentication {
    const redeem = (ticket: unknown): DigestChallenge | undefined => {
      const challenge = typeof ticket === 'string' ? this.#pending.get(ticket) : undefined;
      if (typeof ticket === 'string') this.#pending.delete(ticket);
      return challenge;
    };
    const answer = (challenge: DigestChallenge, request: Core.OutgoingRequestMessage): string | undefined => {
      const uri = showTelUris(request.ruri.toRaw());
      const body = typeof request.body === 'object' ? decodeBody(request.body.body) : decodeBody(request.body);
      const question = { challenge, nonceCount: 1, method: request.method, uri, body };
      if (this.#aka !== undefined) return this.#answerWithSim(this.#aka, question);
      if (request.method === 'REGISTER') this.#registrar = { challenge, uses: 1 };
      return this.#answer(question);
    };
    return new TicketAuthentication(loggerFactory, redeem, answer);
  }

  #isHome({ realm, algorithm }: DigestChallenge): boolean {
    const known = this.#registrar?.challenge;
    if (known === undefined) return realm === this.#account.domain;
    return realm === known.realm && !isWeaker(algorithm, known.algorithm);
  }

  #answer(question: Question): string {
    const { privateIdentity: username, authentication } = this.#account;
    if (authentication.mode !== 'digest') throw new Error('an account with a SIM has no password');
    const { password } = authentication;
    return answerChallenge({ ...question, username, password, cnonce: randomId(this.#random, 16) });
  }

  #answerWithSim(aka: AkaAuthentication, question: Question): string | undefined {
    const { privateIdentity: username } = this.#account;
    const answer = aka.answer(question.challenge);
    if (answer.kind === 'none') return undefined;
    if (answer.kind === 'refuse') return refuseChallenge(question.challenge, username, question.uri);
    const { password } = answer;
    const auts = answer.kind === 'resynchronise' ? { auts: answer.auts } : {};
    const header = answerChallenge({ ...question, username, password, cnonce: randomId(this.#random, 16), ...auts });
    password.dispose();
    return header;
  }
}

class TicketAuthentication extends Core.DigestAuthentication {
  readonly #redeem: (ticket: unknown) => DigestChallenge | undefined;
  readonly #answer: (challenge: DigestChallenge, request: Core.OutgoingRequestMessage) => string | undefined;
  #header = '';

  constructor(
    loggerFactory: Core.LoggerFactory,
    redeem: (ticket: unknown) => DigestChallenge | undefined,
    answer: (challenge: DigestChallenge, request: Core.OutgoingRequestMessage) => string | undefined,
  ) {
    super(loggerFactory, undefined, undefined, undefined);
    this.#redeem = redeem;
    this.#answer = answer;
  }

  override authenticate(request: Core.OutgoingRequestMessage, challenge: { readonly nonce?: unknown }): boolean {
    const real = this.#redeem(challenge.nonce);
    if (real === undefined) return false;
    const header = this.#answer(real, request);
    if (header === undefined) return false;
    this.#header = header;
    return true;
  }

  override toString(): string {
    return this.#header;
  }
}

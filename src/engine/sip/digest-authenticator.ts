import type { Core } from 'sip.js';
import { fromUtf8 } from '../../base/bytes.ts';
import type { Logger } from '../../base/log.ts';
import { randomId, type Random } from '../../base/random.ts';
import { quoted } from '../../protocol/digest/auth-params.ts';
import {
  answerChallenge,
  initialAuthorization,
  refuseChallenge,
  type DigestAnswerInput,
} from '../../protocol/digest/digest.ts';
import type { SipMessage } from '../../protocol/sip/message.ts';
import type { EnginePorts } from '../ports.ts';
import { AkaAuthentication, type AkaAnswer } from './aka-authentication.ts';
import { CredentialCache, putBounded, type CredentialHeader } from './credential-cache.ts';
import { InviteCredentials } from './invite-credentials.ts';
import { RealmCredentials, type Answerable } from './realm-credentials.ts';
import { ServerProofs, type SentCredentials } from './server-proofs.ts';
import { TicketAuthentication } from './ticket-authentication.ts';
import type { AuthenticationFailure, SipAccount } from './types.ts';
import { decodeBody } from './wire-translation.ts';

/** A challenge of one answer that may be answered, in the header where its credentials go. */
interface Offer extends Answerable {
  readonly header: CredentialHeader;
  readonly fromRegistrar: boolean;
}

/** A challenge that is being answered. */
interface Answer extends Offer {
  readonly sim?: AkaAnswer;
  /** The SIM has answered a challenge to the same request before. */
  readonly isSecond?: boolean;
}

const challengeHeaders: readonly (readonly [name: string, header: CredentialHeader])[] = [
  ['WWW-Authenticate', 'Authorization'],
  ['Proxy-Authenticate', 'Proxy-Authorization'],
];
/** Stands for credentials in requests of SIP.js until they leave. */
const ticketScheme = 'Tessera-Ticket ';
const maxPending = 64;
/** Answers with challenges to one request: its proxies and its server, each of them once more with a fresh nonce. */
const maxRounds = 6;

/**
 * Digest for SIP.js, which knows MD5 only, reads one challenge (the last), may fail to parse what it does not know, and sets one
 * header. `inspect` takes the challenges out of an answer and leaves SIP.js a ticket for them, `createAuthentication` decides
 * whether they are answered, and `authorize` writes the credentials into the request that really leaves.
 */
export class DigestAuthenticator {
  readonly #account: SipAccount;
  readonly #random: Random;
  readonly #log: Logger;
  readonly #aka: AkaAuthentication | undefined;
  readonly #realms: RealmCredentials;
  readonly #cache: CredentialCache;
  readonly #proofs = new ServerProofs();
  readonly #offers = new Map<string, readonly Offer[]>();
  readonly #answers = new Map<string, readonly Answer[]>();
  readonly #invites = new InviteCredentials();
  #failure: AuthenticationFailure | undefined;

  constructor(account: SipAccount, { random, log }: Pick<EnginePorts, 'random' | 'log'>) {
    this.#account = account;
    this.#random = random;
    this.#log = log;
    this.#realms = new RealmCredentials(account);
    this.#cache = new CredentialCache(random);
    const { authentication } = account;
    this.#aka = authentication.mode === 'aka' ? new AkaAuthentication(authentication.sim, log) : undefined;
  }

  /** A registration begins from nothing: the network has to prove itself in it, where it does so at all. */
  beginRegistration(): void {
    this.#aka?.beginRegistration();
    this.#realms.beginRegistration();
  }

  /** The account has unregistered: nothing is remembered of the network. */
  endRegistration(): void {
    this.#realms.endRegistration();
    this.#cache.forgetAll();
  }

  /** What is to be held against the network, which `isAccepted` says that it registered us. */
  objection(isAccepted: boolean): AuthenticationFailure | undefined {
    return this.#failure ?? this.#aka?.objection(isAccepted);
  }

  /**
   * Looks at an answer before SIP.js does: hides its challenges, checks its proof, learns the next nonce.
   * @param isRegister it answers a REGISTER of ours.
   */
  inspect(response: SipMessage, isRegister: boolean): void {
    const { status } = response;
    if (status === 401 || status === 407) this.#hideChallenges(response, isRegister);
    const wire = response.clone();
    wire.body = decodeBody(fromUtf8(response.body));
    const { isForged, nextNonces } = this.#proofs.judge(wire);
    if (isForged) {
      this.#log.log('warn', 'sip.answer-not-authentic', { status: status ?? 0 });
      if (isRegister) this.#failure = forgedProof;
      else makeFailure(response);
      return;
    }
    for (const { sent, nonce } of nextNonces) this.#cache.renonce(sent.header, sent.answer.challenge, nonce);
  }

  /** What SIP.js calls for each request that was challenged. */
  createAuthentication(loggerFactory: Core.LoggerFactory): Core.DigestAuthentication {
    const answered = new Map<string, Answer>();
    let rounds = 0;
    return new TicketAuthentication(loggerFactory, (ticket) => {
      const offers = this.#offers.get(ticket) ?? [];
      this.#offers.delete(ticket);
      if (++rounds > maxRounds) return undefined;
      const fresh = offers.flatMap((offer) => this.#answer(offer, answered.get(keyOf(offer))));
      for (const answer of fresh) answered.set(keyOf(answer), answer);
      return fresh.length === 0 ? undefined : this.#putAnswers([...answered.values()]);
    });
  }

  /** Writes the credentials of a request on its way out. */
  authorize(request: SipMessage): void {
    const { start, headers } = request;
    if (start.kind !== 'request') return;
    const tickets = takeTickets(request);
    if (start.method === 'ACK') this.#invites.addTo(request);
    if (start.method === 'ACK' || start.method === 'CANCEL') return;
    const answers = tickets.flatMap((ticket) => this.#takeAnswers(ticket));
    const isRegister = start.method === 'REGISTER';
    if (isRegister && tickets.length === 0) this.#beginRequest();
    const sent: SentCredentials[] = [];
    for (const answer of [...answers, ...this.#unasked(isRegister, answers)]) {
      headers.add(answer.header, this.#write(answer, request, sent));
    }
    if (isRegister && !headers.has('Authorization')) {
      const { privateIdentity, domain } = this.#account;
      headers.add('Authorization', initialAuthorization(privateIdentity, domain, start.uri));
    }
    this.#proofs.sent(request, sent);
    if (start.method === 'INVITE') this.#invites.remember(request);
  }

  #hideChallenges(response: SipMessage, fromRegistrar: boolean): void {
    const { status, headers } = response;
    const refused = this.#proofs.of(response);
    const offers: Offer[] = [];
    let isDowngrade = false;
    for (const [name, header] of challengeHeaders) {
      const choice = this.#realms.choose(headers.getAll(name), fromRegistrar);
      headers.remove(name);
      isDowngrade ||= choice.isDowngrade;
      for (const one of choice.answerable) {
        if (this.#wasRefused({ ...one, header, fromRegistrar }, refused)) continue;
        offers.push({ ...one, header, fromRegistrar });
      }
    }
    if (fromRegistrar && isDowngrade && offers.length === 0) this.#failure = downgrade;
    else if (fromRegistrar && offers.length === 0) this.#aka?.noteOtherChallenge();
    if (offers.length === 0) return;
    const ticket = randomId(this.#random, 16);
    putBounded(this.#offers, ticket, offers, maxPending);
    const name = status === 401 ? 'WWW-Authenticate' : 'Proxy-Authenticate';
    headers.add(name, `Digest realm="hidden", nonce=${quoted(ticket, 'sip.ticket')}, stale=true`);
  }

  /** The same nonce again, and not for its age: our credentials under it were not taken. */
  #wasRefused({ header, challenge }: Offer, sent: readonly SentCredentials[]): boolean {
    const same = sent.some(
      (one) =>
        one.header === header &&
        one.answer.challenge.realm === challenge.realm &&
        one.answer.challenge.nonce === challenge.nonce,
    );
    if (same) this.#cache.forget(header, challenge);
    return same && !challenge.stale;
  }

  /** One answer for each realm and request, and one more where the server says that the nonce is stale and gives another. */
  #answer(offer: Offer, before: Answer | undefined): Answer[] {
    const { challenge, user, fromRegistrar } = offer;
    if (user.password === undefined) return this.#answerWithSim(offer, before);
    const isFresh = before === undefined || (challenge.stale && challenge.nonce !== before.challenge.nonce);
    if (!isFresh) return [];
    this.#realms.answered(offer, fromRegistrar);
    // Of servers of other requests nothing is kept: the next request may go to another one.
    if (offer.header === 'Proxy-Authorization' || fromRegistrar) this.#cache.remember(offer.header, challenge);
    return [offer];
  }

  #answerWithSim(offer: Offer, before: Answer | undefined): Answer[] {
    const aka = this.#aka;
    const isSecond = before !== undefined;
    if (aka === undefined || before?.isSecond === true) return [];
    if (isSecond && !aka.mayAnswerAgain(offer.challenge.stale)) return [];
    const sim = aka.answer(offer.challenge);
    if (sim.kind === 'none') return [];
    if (sim.kind === 'password') this.#realms.answered(offer, offer.fromRegistrar);
    return [{ ...offer, sim, isSecond }];
  }

  #beginRequest(): void {
    this.#failure = undefined;
    this.#aka?.beginRequest();
  }

  /** Credentials for what asked before: the registrar in a REGISTER, the proxies in every request. */
  #unasked(isRegister: boolean, answers: readonly Answer[]): Answer[] {
    const headers: CredentialHeader[] = isRegister ? ['Authorization', 'Proxy-Authorization'] : ['Proxy-Authorization'];
    return headers.flatMap((header) =>
      this.#cache.known(header).flatMap((challenge) => {
        const user = this.#realms.userOf(challenge.realm);
        const offer = { header, challenge, user, fromRegistrar: isRegister };
        return answers.some((one) => keyOf(one) === keyOf(offer)) || user.password === undefined ? [] : [offer];
      }),
    );
  }

  /** The value of the header. @param sent gets what a proof of the server can be checked with. */
  #write(answer: Answer, { start, body }: SipMessage, sent: SentCredentials[]): string {
    const { header, challenge, user, sim } = answer;
    if (start.kind !== 'request') throw new Error('not a request');
    const { method, uri } = start;
    if (sim?.kind === 'refuse') return refuseChallenge(challenge, user.username, uri);
    const password = sim?.kind === 'password' || sim?.kind === 'resynchronise' ? sim.password : user.password;
    if (password === undefined) throw new Error('no password for a challenge that was to be answered');
    const auts = sim?.kind === 'resynchronise' ? { auts: sim.auts } : {};
    const use = this.#cache.use(challenge);
    const input: DigestAnswerInput = {
      challenge,
      username: user.username,
      password,
      method,
      uri,
      body,
      ...use,
      ...auts,
    };
    const value = answerChallenge(input);
    // RES serves once (RFC 3310 clause 3.1), and AUTN has proven the network already.
    if (sim === undefined) sent.push({ header, answer: input });
    else password.dispose();
    return value;
  }

  #putAnswers(answers: readonly Answer[]): string {
    const ticket = randomId(this.#random, 16);
    const dropped = putBounded(this.#answers, ticket, answers, maxPending);
    for (const { sim } of dropped ?? []) if (sim !== undefined && 'password' in sim) sim.password.dispose();
    return `${ticketScheme}${ticket}`;
  }

  #takeAnswers(ticket: string): readonly Answer[] {
    const answers = this.#answers.get(ticket) ?? [];
    this.#answers.delete(ticket);
    return answers;
  }
}

/** Takes the tickets out of a request. */
function takeTickets({ headers }: SipMessage): string[] {
  const values = challengeHeaders.flatMap(([, header]) => headers.getAll(header));
  for (const [, header] of challengeHeaders) headers.remove(header);
  return values.flatMap((value) => (value.startsWith(ticketScheme) ? [value.slice(ticketScheme.length)] : []));
}

/** Turns a final answer that somebody forged into a refusal; nothing in it counts. */
function makeFailure(response: SipMessage): void {
  response.start = { kind: 'response', status: 403, reason: 'Answer Not Authentic' };
  response.headers.remove('Content-Type').remove('Contact').remove('Record-Route');
  response.body = new Uint8Array();
}

function keyOf({ header, challenge }: Pick<Answer, 'header' | 'challenge'>): string {
  return `${header}\n${challenge.realm}`;
}

const downgrade: AuthenticationFailure = {
  code: 'authentication-failed',
  explanation:
    'The server asked for the credentials under a weaker method than when this registration began. Nothing was answered. ' +
    'If the operator has changed the method, sign out and in again.',
};

const forgedProof: AuthenticationFailure = {
  code: 'network-not-authentic',
  explanation:
    'Whoever answered the registration gave a wrong proof that it knows the password. The registration is not used.',
};

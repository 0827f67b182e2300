import { assertProtocolError, ProtocolError } from '../../base/errors.ts';
import type { SecretBytes } from '../../base/secret-bytes.ts';
import { sha256 } from '../../crypto/digest.ts';
import { profile } from '../profile.ts';
import {
  makeBaseTicket,
  splitMpk,
  verifyInitiatorData,
  checkInitiatorDataPresence,
  type OpenedTicket,
} from './base-ticket.ts';
import { idRole, mikeyError } from './code-points.ts';
import { answerWithError } from './error-message.ts';
import { sameIdentity, type MikeyIdentity } from './identity.ts';
import type { ForeignTicket } from './kms-forward.ts';
import { grantPolicy, keysToIssue, refuseAgainstRules, refuseWeakerCover } from './kms-grant.ts';
import { openTicketAtKms, sharedTpkFor } from './kms-ticket.ts';
import {
  QuestionAuthentication,
  requestExchange,
  resolveExchange,
  unauthenticated,
  type ExchangeKind,
  type Question,
} from './kms-question.ts';
import type { KmsExchangeSubject, KmsMachineOptions, KmsOutcome, ReplayMemory } from './kms-types.ts';
import type { KeyDataPayload, TicketPayload } from './payloads.ts';
import { decodeMessage } from './message.ts';
import { identitiesInRole, identityInRole, requiredPayload } from './payload-access.ts';
import type { SuiteParameters } from './protection.ts';
import { refuseShortRands } from './rand-length.ts';
import { ReplayCache } from './replay-cache.ts';
import { sealRequestResponse, sealResolveResponse, type ResolveFork } from './resolve-messages.ts';
import { forkKeyData, forkMpkr, kindOf, mpkData, type ForkModifier } from './ticket-keys.ts';
import { checkForkedTgk, readPolicy, refuseOutsideLife } from './ticket-policy.ts';
import { freshSpi } from './ticket-request.ts';
import { ntpTimestamp, readMessageTime, refuseStale } from './timestamp.ts';

const defaultReplayCapacity = 200_000;

class Forbidden extends ProtocolError {
  constructor(problem: string, field: string) {
    // Reading [A14]: not authorised has the number of an identity that is not supported.
    super('policy-denied', problem, { field, hint: { mikey: mikeyError.invalidIdentity } });
  }
}

class Overloaded extends ProtocolError {}
class Replayed extends ProtocolError {}
class IssuerFailed extends ProtocolError {}

class IssuerAway extends ProtocolError {
  readonly retryAfterSeconds: number;

  constructor(error: ProtocolError, retryAfterSeconds: number) {
    super(error.kind, 'the KMS that issued the ticket is away', { field: 'kms.issuer', cause: error });
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

interface Answer {
  readonly message: Uint8Array;
  /** Of a ticket that was made now. */
  readonly ticketData?: Uint8Array;
}

/**
 * The KMS's side of Ticket Request and Ticket Resolve (RFC 6043 4.2.1 and 4.2.3), both variants.
 * Keeps nothing but a replay memory: whatever a ticket needs stands in the ticket, under the TPK. Its directory, its
 * replay memory and other KMSs may have to be waited for; nothing else does.
 */
export class KmsMachine {
  readonly #options: KmsMachineOptions;
  readonly #replays: ReplayMemory;
  readonly #authentication: QuestionAuthentication;

  constructor(options: KmsMachineOptions) {
    this.#options = options;
    this.#replays = options.replays ?? memoryOf(new ReplayCache(options.replayCapacity ?? defaultReplayCapacity));
    this.#authentication = new QuestionAuthentication(options);
  }

  handleTicketRequest(message: Uint8Array, now: number): Promise<KmsOutcome> {
    return this.#handle(message, now, requestExchange, (question) => this.#grant(question, now));
  }

  /** @param provenPeers from other KMSs only: the names that the certificate of the connection proves. */
  handleTicketResolve(message: Uint8Array, now: number, provenPeers?: readonly string[]): Promise<KmsOutcome> {
    return this.#handle(message, now, resolveExchange, (question) => this.#resolve(question, now), provenPeers);
  }

  async #handle(
    input: Uint8Array,
    now: number,
    kind: ExchangeKind,
    answer: (question: Question) => Promise<Answer>,
    provenPeers?: readonly string[],
  ): Promise<KmsOutcome> {
    let question: Question;
    try {
      question = await this.#authentication.prove(decodeMessage(input), kind, now, provenPeers);
    } catch (error) {
      return unauthenticatedOutcome(input, error, now);
    }
    const subscriber = question.subscriber.name;
    const retryAfterSeconds = this.#options.admission?.(question.subscriber, now);
    if (retryAfterSeconds !== undefined) {
      const error = new ProtocolError('policy-denied', 'too many questions', { field: 'kms.limits' });
      return { outcome: 'limited', subscriber, error, retryAfterSeconds };
    }
    let subject = subjectOf(question, this.#options.identity);
    try {
      await this.#refuseReplay(question, now);
      const { message, ticketData } = await answer(question);
      if (ticketData !== undefined) subject = { ...subject, ticketDigest: sha256(ticketData) };
      return { outcome: 'answered', message, subscriber, subject };
    } catch (error) {
      assertProtocolError(error);
      if (error instanceof Overloaded) return { outcome: 'overloaded', error };
      if (error instanceof IssuerFailed) return { outcome: 'issuer-failed', subscriber, error, subject };
      if (error instanceof IssuerAway) {
        const { retryAfterSeconds: seconds } = error;
        return { outcome: 'issuer-away', subscriber, error, retryAfterSeconds: seconds, subject };
      }
      const message = answerWithError(input, error, now, question.errorProof) ?? new Uint8Array();
      if (error instanceof Forbidden) return { outcome: 'forbidden', message, subscriber, error, subject };
      return { outcome: 'refused', message, subscriber, error, subject, isReplay: error instanceof Replayed };
    }
  }

  /** RFC 3830 5.4: T of now, and each authenticated message once. */
  async #refuseReplay({ message, asker }: Question, now: number): Promise<void> {
    const time = readMessageTime(requiredPayload(message.payloads, 'T'), 'mikey.T');
    if ('milliseconds' in time) refuseStale(time.milliseconds, now, 'mikey.T');
    // Reading [A29].
    else if ((await this.#options.counters?.advance(asker, time.count)) !== true) refuseReplayed();
    const until = now + profile.replay.kmsCacheSeconds * 1000;
    const seen = await this.#replays.remember(sha256(message.bytes), until, now);
    if (seen === 'full') throw new Overloaded('policy-denied', 'too many messages', { field: 'kms.replayCache' });
    if (seen === 'replayed') refuseReplayed();
  }

  #checkParties({ message, subscriber, asker, secret, rand }: Question): void {
    // An envelope that cannot be used leaves nothing to answer under.
    refuseShortRands(rand, [{ key: new Uint8Array(secret().length) }], 'mikey.RANDR');
    const kms = identityInRole(message.payloads, idRole.kms);
    if (kms !== undefined && !sameIdentity(kms, this.#options.identity)) {
      throw new ProtocolError('peer-misbehaved', 'meant for another KMS', {
        field: 'mikey.IDRkms',
        hint: { mikey: mikeyError.invalidIdentity },
      });
    }
    if (!subscriber.owns(asker)) throw new Forbidden("not the key's owner", 'kms.identity');
  }

  async #grant(question: Question, now: number): Promise<Answer> {
    this.#checkParties(question);
    const { identity, rules, random, tpks, directory } = this.#options;
    const { message, suite, subscriber, asker } = question;
    const requested = requiredPayload(message.payloads, 'TP').policy;
    const content = readPolicy(requested, { ignoreK: true });
    if (!(await directory.mayRequest(subscriber, content.responders))) {
      throw new Forbidden('no ticket for these responders', 'kms.responders');
    }
    if (content.initiator !== undefined && !sameIdentity(content.initiator, asker)) {
      throw new Forbidden('a ticket for somebody else', 'kms.initiator');
    }
    const sharedTpk = content.flags.E ? undefined : await sharedTpkFor(content.responders, directory);
    const responderHoldsTpk = sharedTpk !== undefined;
    const policy = grantPolicy(requested, content, { identity, asker, suite, rules, now, responderHoldsTpk });
    const keys = keysToIssue({ ...content, flags: policy.flags }, content.suite, random);
    checkForkedTgk(
      policy.flags,
      keys.some((key) => kindOf(key) === 'TGK'),
    );
    const timestamp = ntpTimestamp(now);
    const rand = random.bytes(profile.mikey.randOctets);
    // Reading [A16].
    const mpk = mpkData(random.bytes(content.suite.keyBits / 8), freshSpi(random));
    const ticket = makeBaseTicket({ policy, tpk: sharedTpk ?? tpks.current, timestamp, rand, mpk, keys });
    const { mpki, mpkr } = splitMpk(policy.prf, mpk.key, rand);
    const mpks = [mpki, ...(policy.flags.I ? [mpkr] : [])].map((key) => ({ ...mpk, key }));
    const answer = { ...this.#answer(question), timestamp, keys: [...mpks, ...keys] };
    return { message: sealRequestResponse(answer, ticket, message.bytes), ticketData: ticket.ticketData };
  }

  #answer({ suite, secret, message, rand }: Question): {
    readonly suite: SuiteParameters;
    readonly psk: SecretBytes;
    readonly csbId: number;
    readonly rand: Uint8Array;
    readonly kms: MikeyIdentity;
  } {
    return { suite, psk: secret(), csbId: message.header.csbId, rand, kms: this.#options.identity };
  }

  async #resolve(question: Question, now: number): Promise<Answer> {
    this.#checkParties(question);
    const { random, rules, tpks, directory } = this.#options;
    const { message, suite, subscriber } = question;
    const ticket = requiredPayload(message.payloads, 'TICKET');
    const issuer = issuerOf(ticket, this.#options.identity);
    if (issuer !== undefined) return this.#resolveElsewhere(question, { ticket, issuer }, now);
    const policy = readPolicy(ticket.policy);
    const opened = await openTicketAtKms(ticket, policy, { tpks, directory });
    if (!policy.flags.D) refuseAgainstRules(policy, rules);
    refuseOutsideLife(policy, now);
    const responder = await directory.responderFor(subscriber, policy.responders, question.asker);
    if (responder === undefined) throw new Forbidden('the ticket is for somebody else', 'kms.responder');
    checkInitiatorDataPresence(ticket);
    if (policy.flags.I) verifyInitiatorData(opened.suite, opened.mpkr, ticket.initiatorData);
    // Reading [A17]: the answer may not cover keys with algorithms weaker than theirs.
    refuseWeakerCover(suite, opened.suite, 'mikey.HDR.prf');
    const fork: ResolveFork | undefined = policy.flags.I
      ? { responder, rand: random.bytes(forkRandOctets(opened)) }
      : undefined;
    const keys =
      fork === undefined
        ? [mpkData(opened.mpki, opened.mpkSpi), ...opened.keys]
        : forkedKeys(opened, { responder: fork.responder.data, kmsRand: fork.rand });
    const sealed = { ...this.#answer(question), timestamp: ntpTimestamp(now), keys };
    return { message: sealResolveResponse(sealed, fork, message.bytes) };
  }

  /**
   * A ticket of another KMS (RFC 6043 10): its issuer is asked once everything is checked that needs none of its keys, and our
   * user gets the issuer's keys and modifier under the key that we share.
   */
  async #resolveElsewhere(
    question: Question,
    { ticket, issuer }: Pick<ForeignTicket, 'ticket' | 'issuer'>,
    now: number,
  ): Promise<Answer> {
    const { directory, issuers } = this.#options;
    const { message, suite, subscriber, asker } = question;
    // One hop: whoever asks for another's users asks the issuer itself, so that no question can go round.
    if (subscriber.peer !== undefined) throw foreignTicket('the ticket of a third KMS');
    const policy = readPolicy(ticket.policy);
    refuseOutsideLife(policy, now);
    // "The IDRr [...] SHOULD be reused"; an alias is ours to know, so what goes on is the name in the ticket.
    const responder = await directory.responderFor(subscriber, policy.responders, asker);
    if (responder === undefined) throw new Forbidden('the ticket is for somebody else', 'kms.responder');
    checkInitiatorDataPresence(ticket);
    refuseWeakerCover(suite, policy.suite, 'mikey.HDR.prf');
    const answer = await issuers?.ask({ issuer, initiator: policy.initiator, responder, ticket });
    switch (answer?.answer) {
      case undefined:
      case 'unknown':
        throw foreignTicket('no agreement with the KMS that issued the ticket');
      case 'refused':
        throw answer.error;
      case 'away':
        throw new IssuerAway(answer.error, answer.retryAfterSeconds);
      case 'failed':
        throw new IssuerFailed(answer.error.kind, answer.error.message, { field: 'kms.issuer', cause: answer.error });
      case 'keys': {
        const { keys, fork } = answer;
        // The issuer may have adjusted IDRr, but not to somebody else.
        if (fork !== undefined && (await directory.responderFor(subscriber, [fork.responder], asker)) === undefined) {
          throw new IssuerFailed('peer-misbehaved', 'keys for somebody else', { field: 'kms.issuer' });
        }
        const sealed = { ...this.#answer(question), timestamp: ntpTimestamp(now), keys };
        return { message: sealResolveResponse(sealed, fork, message.bytes) };
      }
    }
  }
}

/** The KMS that a ticket names, unless that is this one, or it names none. */
function issuerOf(ticket: TicketPayload | undefined, self: MikeyIdentity): MikeyIdentity | undefined {
  const named = ticket === undefined ? undefined : identityInRole(ticket.policy.parameters, idRole.kms);
  return named === undefined || sameIdentity(named, self) ? undefined : named;
}

function foreignTicket(problem: string): ProtocolError {
  return new ProtocolError('policy-denied', problem, {
    field: 'mikey.TICKET.IDRkms',
    hint: { mikey: mikeyError.invalidTicket },
  });
}

/** RFC 6043 12.1: RANDRkms is as long as the longest key that it forks. */
function forkRandOctets({ mpkr, keys }: OpenedTicket): number {
  return Math.max(profile.mikey.randOctets, mpkr.length, ...keys.map(({ key }) => key.length));
}

/** MPKi || MPKr' || keys, TGKs forked (RFC 6043 4.2.3.5). */
export function forkedKeys(
  { suite, mpki, mpkr, mpkSpi, keys }: OpenedTicket,
  modifier: ForkModifier,
): KeyDataPayload[] {
  return [
    mpkData(mpki, mpkSpi),
    mpkData(forkMpkr(suite.prf, mpkr, modifier), mpkSpi),
    ...keys.map((key) => forkKeyData(suite.prf, key, modifier)),
  ];
}

const memoryOf = (cache: ReplayCache): ReplayMemory => ({
  remember: (digest, until, now) => {
    const seen = cache.add(digest, until, now);
    return seen === 'fresh' ? 'new' : seen;
  },
});

/** What can be said of it before it is judged: a policy that cannot be read names nobody. */
function subjectOf({ message: { payloads }, asker }: Question, self: MikeyIdentity): KmsExchangeSubject {
  const ticket = payloads.find((payload) => payload.payload === 'TICKET');
  const policy = ticket?.policy ?? payloads.find((payload) => payload.payload === 'TP')?.policy;
  const subject = { asker, ...(ticket === undefined ? {} : { ticketDigest: sha256(ticket.ticketData) }) };
  try {
    const issuer = issuerOf(ticket, self);
    const responders = identitiesInRole(policy?.parameters ?? [], idRole.responder);
    return { ...subject, responders, ...(issuer === undefined ? {} : { issuer }) };
  } catch {
    return { ...subject, responders: [] };
  }
}

function refuseReplayed(): never {
  throw new Replayed('peer-misbehaved', 'replayed', {
    field: 'mikey.T',
    hint: { mikey: mikeyError.invalidTimestamp },
  });
}

/**
 * Unknown user, wrong key and wrong signature end in the same octets but for the CSB ID, which is the sender's own. Certificates that
 * prove nothing have a number of their own: it tells their owner, and what decides it is no secret.
 */
function unauthenticatedOutcome(input: Uint8Array, error: unknown, now: number): KmsOutcome {
  assertProtocolError(error);
  const failed = error.hint.mikey === mikeyError.authenticationFailure ? unauthenticated() : error;
  const isUnproven = failed !== error || error.hint.mikey === mikeyError.invalidCertificate;
  const outcome = isUnproven ? 'not-authenticated' : 'malformed';
  return { outcome, message: answerWithError(input, failed, now), error: failed };
}

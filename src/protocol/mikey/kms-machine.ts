import { ProtocolError } from '../../base/errors.ts';
import { SecretBytes } from '../../base/secret-bytes.ts';
import { sha256 } from '../../crypto/digest.ts';
import { profile } from '../profile.ts';
import {
  makeBaseTicket,
  openBaseTicket,
  splitMpk,
  verifyInitiatorData,
  checkInitiatorDataPresence,
  type OpenedTicket,
} from './base-ticket.ts';
import { dataType, idRole, mikeyError, randRole } from './code-points.ts';
import { answerWithError } from './error-message.ts';
import { sameIdentity, type MikeyIdentity } from './identity.ts';
import { grantPolicy, keysToIssue } from './kms-grant.ts';
import type { KmsExchangeSubject, KmsMachineOptions, KmsOutcome, KmsSubscriber, ReplayMemory } from './kms-types.ts';
import type { KeyDataPayload } from './payloads.ts';
import { decodeMessage, type DecodedMessage } from './message.ts';
import { identitiesInRole, identityInRole, requiredPayload, requiredRand } from './payload-access.ts';
import { messageKeys, suiteOfPrf, verifyMessage, type ProtectionKeys, type SuiteParameters } from './protection.ts';
import { ReplayCache } from './replay-cache.ts';
import { sealRequestResponse, sealResolveResponse, type ResolveFork } from './resolve-messages.ts';
import { forkKeyData, forkMpkr, kindOf, mpkData, type ForkModifier } from './ticket-keys.ts';
import { checkForkedTgk, readPolicy, refuseOutsideLife } from './ticket-policy.ts';
import { freshSpi } from './ticket-request.ts';
import { ntpTimestamp, refuseStale, timestampMilliseconds } from './timestamp.ts';

const defaultReplayCapacity = 200_000;

class Forbidden extends ProtocolError {
  constructor(problem: string, field: string) {
    super('policy-denied', problem, { field, hint: { mikey: mikeyError.unspecified } });
  }
}

class Overloaded extends ProtocolError {}

/** A question whose sender is proven. */
interface Question {
  readonly message: DecodedMessage;
  readonly suite: SuiteParameters;
  readonly rand: Uint8Array;
  readonly subscriber: KmsSubscriber;
  /** The identity that the sender speaks under. */
  readonly asker: MikeyIdentity;
  readonly errorKeys: ProtectionKeys;
}

interface Answer {
  readonly message: Uint8Array;
  /** Of a ticket that was made now. */
  readonly ticketData?: Uint8Array;
}

interface ExchangeKind {
  readonly dataType: number;
  readonly askerRole: number;
  readonly randRole: number;
}

const requestExchange: ExchangeKind = {
  dataType: dataType.requestInitPsk,
  askerRole: idRole.initiator,
  randRole: randRole.initiator,
};
const resolveExchange: ExchangeKind = {
  dataType: dataType.resolveInitPsk,
  askerRole: idRole.responder,
  randRole: randRole.responder,
};

/**
 * The KMS's side of Ticket Request and Ticket Resolve (RFC 6043 4.2.1 and 4.2.3), the PSK variant.
 * Keeps nothing but a replay memory: whatever a ticket needs stands in the ticket, under the TPK. Its directory and its
 * replay memory may have to be waited for; nothing else does.
 */
export class KmsMachine {
  readonly #options: KmsMachineOptions;
  readonly #replays: ReplayMemory;
  /** Stands in for the key of somebody unknown, so that the answer takes as long as to a wrong key. */
  readonly #nobodysKey: SecretBytes;

  constructor(options: KmsMachineOptions) {
    this.#options = options;
    this.#replays = options.replays ?? memoryOf(new ReplayCache(options.replayCapacity ?? defaultReplayCapacity));
    this.#nobodysKey = new SecretBytes(options.random.bytes(32));
  }

  handleTicketRequest(message: Uint8Array, now: number): Promise<KmsOutcome> {
    return this.#handle(message, now, requestExchange, (question) => this.#grant(question, now));
  }

  handleTicketResolve(message: Uint8Array, now: number): Promise<KmsOutcome> {
    return this.#handle(message, now, resolveExchange, (question) => this.#resolve(question, now));
  }

  async #handle(
    input: Uint8Array,
    now: number,
    kind: ExchangeKind,
    answer: (question: Question) => Promise<Answer>,
  ): Promise<KmsOutcome> {
    let question: Question;
    try {
      question = await this.#authenticate(decodeMessage(input), kind);
    } catch (error) {
      return unauthenticatedOutcome(input, error, now);
    }
    const subscriber = question.subscriber.name;
    let subject = subjectOf(question);
    try {
      await this.#refuseReplay(question, now);
      const { message, ticketData } = await answer(question);
      if (ticketData !== undefined) subject = { ...subject, ticketDigest: sha256(ticketData) };
      return { outcome: 'answered', message, subscriber, subject };
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      if (error instanceof Overloaded) return { outcome: 'overloaded', error };
      const message = answerWithError(input, error, now, question.errorKeys) ?? new Uint8Array();
      return { outcome: error instanceof Forbidden ? 'forbidden' : 'refused', message, subscriber, error, subject };
    }
  }

  /** Proves who asks before anything else is looked at, so that an unproven message changes and learns nothing. */
  async #authenticate(message: DecodedMessage, kind: ExchangeKind): Promise<Question> {
    const { header, payloads } = message;
    if (header.dataType !== kind.dataType) {
      throw new ProtocolError('unsupported', `data type ${header.dataType}`, {
        field: 'mikey.HDR.dataType',
        expected: `${kind.dataType}`,
        hint: { mikey: mikeyError.invalidDataType },
      });
    }
    const suite = suiteOfPrf(header.prf, 'mikey.HDR.prf');
    const rand = requiredRand(payloads, kind.randRole);
    const claimed = identityInRole(payloads, kind.askerRole);
    const kms = identityInRole(payloads, idRole.kms) ?? this.#options.identity;
    const found = await this.#options.directory.findSubscriber(identityInRole(payloads, idRole.psk), claimed);
    const psk = found?.psk ?? this.#nobodysKey;
    const asker = claimed ?? found?.identity ?? kms;
    const rands = kind.randRole === randRole.initiator ? { initiator: rand } : { responder: rand };
    const keys = messageKeys(suite, psk, header.csbId, 'initial', rands);
    verifyMessage(message, keys, [asker.data, kms.data]);
    if (found === undefined) throw unauthenticated();
    return { message, suite, rand, subscriber: found, asker, errorKeys: keys };
  }

  /** RFC 3830 5.4: T of now, and each authenticated message once. */
  async #refuseReplay({ message }: Question, now: number): Promise<void> {
    const timestamp = timestampMilliseconds(requiredPayload(message.payloads, 'T'), 'mikey.T');
    refuseStale(timestamp, now, 'mikey.T');
    const until = now + profile.replay.kmsCacheSeconds * 1000;
    const seen = await this.#replays.remember(sha256(message.bytes), until, now);
    if (seen === 'full') throw new Overloaded('policy-denied', 'too many messages', { field: 'kms.replayCache' });
    if (seen === 'replayed') {
      throw new ProtocolError('peer-misbehaved', 'replayed', {
        field: 'mikey.T',
        hint: { mikey: mikeyError.invalidTimestamp },
      });
    }
  }

  #checkParties({ message, subscriber, asker }: Question): void {
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
    const content = readPolicy(requested);
    if (!(await directory.mayRequest(subscriber, content.responders))) {
      throw new Forbidden('no ticket for these responders', 'kms.responders');
    }
    if (content.initiator !== undefined && !sameIdentity(content.initiator, asker)) {
      throw new Forbidden('a ticket for somebody else', 'kms.initiator');
    }
    const policy = grantPolicy(requested, content, { identity, asker, suite, rules, now });
    const keys = keysToIssue(content, suite, random);
    checkForkedTgk(
      policy.flags,
      keys.some((key) => kindOf(key) === 'TGK'),
    );
    const timestamp = ntpTimestamp(now);
    const rand = random.bytes(profile.mikey.randOctets);
    const mpk = mpkData(random.bytes(suite.keyBits / 8), freshSpi(random));
    const ticket = makeBaseTicket({ policy, tpk: tpks.current, timestamp, rand, mpk, keys });
    const { mpki, mpkr } = splitMpk(policy.prf, mpk.key, rand);
    const mpks = [mpki, ...(policy.flags.I ? [mpkr] : [])].map((key) => ({ ...mpk, key }));
    const answer = { ...this.#answer(question), timestamp, keys: [...mpks, ...keys] };
    return { message: sealRequestResponse(answer, ticket, message.bytes), ticketData: ticket.ticketData };
  }

  #answer({ suite, subscriber, message, rand }: Question): {
    readonly suite: SuiteParameters;
    readonly psk: SecretBytes;
    readonly csbId: number;
    readonly rand: Uint8Array;
    readonly kms: MikeyIdentity;
  } {
    return { suite, psk: subscriber.psk, csbId: message.header.csbId, rand, kms: this.#options.identity };
  }

  async #resolve(question: Question, now: number): Promise<Answer> {
    this.#checkParties(question);
    const { random, tpks, directory } = this.#options;
    const { message, suite, subscriber } = question;
    const ticket = requiredPayload(message.payloads, 'TICKET');
    const opened = openBaseTicket(ticket, (id) => tpks.find(id));
    const policy = readPolicy(ticket.policy);
    refuseOutsideLife(policy, now);
    const responder = await directory.responderFor(subscriber, policy.responders);
    if (responder === undefined) throw new Forbidden('the ticket is for somebody else', 'kms.responder');
    checkInitiatorDataPresence(ticket);
    if (policy.flags.I) verifyInitiatorData(opened.suite, opened.mpkr, ticket.initiatorData);
    // Reading [A17]: the answer may not cover keys with algorithms weaker than theirs.
    if (suite.keyBits < opened.suite.keyBits) {
      throw new ProtocolError('unsupported', 'a suite weaker than the ticket', {
        field: 'mikey.HDR.prf',
        hint: { mikey: mikeyError.invalidPrf },
      });
    }
    const fork: ResolveFork | undefined = policy.flags.I
      ? { responder, rand: random.bytes(profile.mikey.randOctets) }
      : undefined;
    const keys =
      fork === undefined
        ? [mpkData(opened.mpki, opened.mpkSpi), ...opened.keys]
        : forkedKeys(opened, { responder: fork.responder.data, kmsRand: fork.rand });
    const sealed = { ...this.#answer(question), timestamp: ntpTimestamp(now), keys };
    return { message: sealResolveResponse(sealed, fork, message.bytes) };
  }
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
function subjectOf({ message: { payloads }, asker }: Question): KmsExchangeSubject {
  const ticket = payloads.find((payload) => payload.payload === 'TICKET');
  const policy = ticket?.policy ?? payloads.find((payload) => payload.payload === 'TP')?.policy;
  const subject = { asker, ...(ticket === undefined ? {} : { ticketDigest: sha256(ticket.ticketData) }) };
  try {
    return { ...subject, responders: identitiesInRole(policy?.parameters ?? [], idRole.responder) };
  } catch {
    return { ...subject, responders: [] };
  }
}

function unauthenticated(): ProtocolError {
  return new ProtocolError('peer-misbehaved', 'authentication failed', {
    field: 'mikey.V',
    hint: { mikey: mikeyError.authenticationFailure },
  });
}

/** Unknown user and wrong key end in the same octets but for the CSB ID, which is the sender's own. */
function unauthenticatedOutcome(input: Uint8Array, error: unknown, now: number): KmsOutcome {
  if (!(error instanceof ProtocolError)) throw error;
  const failed = error.hint.mikey === mikeyError.authenticationFailure ? unauthenticated() : error;
  const outcome = failed === error ? 'malformed' : 'not-authenticated';
  return { outcome, message: answerWithError(input, failed, now), error: failed };
}

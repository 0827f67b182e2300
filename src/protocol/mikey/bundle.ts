import { equalBytes } from '../../base/bytes.ts';
import { ProtocolError } from '../../base/errors.ts';
import type { BundleChange, BundleState } from './bundle-state.ts';
import { BundleTimestamps } from './bundle-timestamps.ts';
import type {
  AnswerUpdateOptions,
  CryptoSessionBundle,
  CryptoSessionKey,
  ReceivedUpdate,
  StartedUpdate,
  StartUpdateOptions,
} from './bundle-types.ts';
import { dataType, idRole, mikeyError, randRole } from './code-points.ts';
import type { ExchangeRands } from './derivation.ts';
import { answerWithError, checkAnswerHeader, refuseErrorAnswer } from './error-message.ts';
import type { TicketFlags } from './flags.ts';
import { sameIdentity, type MikeyIdentity } from './identity.ts';
import { decodeMessage, type CryptoSession, type DecodedMessage } from './message.ts';
import { identityInRole, randInRole, requiredPayload } from './payload-access.ts';
import type { SecurityPolicyPayload, TimestampPayload } from './payloads.ts';
import { verifyMessage, type ProtectionKeys } from './protection.ts';
import { answeredSessions, checkAnswer, checkOffer, offeredSession, policiesOf } from './session-negotiation.ts';
import { openSuppliedKeys } from './supplied-keys.ts';
import { copyKeys } from './ticket-keys.ts';
import { timestampOrder } from './timestamp.ts';
import type { AnswerRules, TicketKey } from './key-types.ts';
import { sealUpdate, sealUpdateAnswer } from './update-messages.ts';

type Role = 'initiator' | 'responder';

/** What the initial exchange leaves to its crypto session bundle. */
export interface BundleParameters {
  readonly role: Role;
  readonly csbId: number;
  /** As the MAC of TRANSFER_INIT covered them (reading [A21]). */
  readonly initiator: MikeyIdentity;
  readonly responder: MikeyIdentity;
  /** The other end as it proved to be; may differ from `responder` (RFC 6043 4.2.2.3). */
  readonly peer: MikeyIdentity;
  readonly flags: TicketFlags;
  /** Every RAND of the exchange, for comparison with one that is repeated. */
  readonly exchangeRands: ExchangeRands;
  readonly state: BundleState;
  /** Keys of the last message of the initial exchange (reading [A20]). */
  readonly protection: ProtectionKeys;
  readonly ownTimestamp: TimestampPayload | undefined;
  readonly peerTimestamp: TimestampPayload | undefined;
  readonly rules: AnswerRules;
  readonly rekeyingSeconds: number | undefined;
  readonly now: number;
}

/** RFC 6043 5.2: L lets the initiator, M the responder of the initial exchange send keys. */
export function maySupplyKeys(flags: TicketFlags, role: Role): boolean {
  return role === 'initiator' ? flags.L : flags.M;
}

/** @throws ProtocolError `local` where the ticket does not let us send keys. */
export function refuseOwnKeys(flags: TicketFlags, role: Role, keys: readonly TicketKey[]): void {
  if (keys.length === 0 || maySupplyKeys(flags, role)) return;
  throw new ProtocolError('local', 'the ticket does not let us supply keys', {
    field: 'transfer.keys',
    expected: role === 'initiator' ? 'flag L' : 'flag M',
  });
}

function misbehaved(problem: string, field: string, mikey: number = mikeyError.unspecified): never {
  throw new ProtocolError('peer-misbehaved', problem, { field: `mikey.update.${field}`, hint: { mikey } });
}

/** Makes the bundle that a Ticket Transfer set up. */
export function createBundle(parameters: BundleParameters): CryptoSessionBundle {
  return new Bundle(parameters);
}

class Bundle implements CryptoSessionBundle {
  readonly #given: BundleParameters;
  readonly #timestamps: BundleTimestamps;
  #state: BundleState;
  #keyedAt: number;

  constructor(parameters: BundleParameters) {
    this.#given = parameters;
    this.#timestamps = new BundleTimestamps(parameters.role, parameters.ownTimestamp, parameters.peerTimestamp);
    this.#state = parameters.state;
    this.#keyedAt = parameters.now;
  }

  get role(): Role {
    return this.#given.role;
  }

  get csbId(): number {
    return this.#given.csbId;
  }

  get peer(): MikeyIdentity {
    return this.#given.peer;
  }

  get sessions(): readonly CryptoSession[] {
    return this.#state.sessions;
  }

  get rekeyBy(): number | undefined {
    const { rekeyingSeconds } = this.#given;
    return rekeyingSeconds === undefined ? undefined : this.#keyedAt + rekeyingSeconds * 1000;
  }

  sessionKey(csId: number, options: { readonly position?: bigint; readonly now?: number } = {}): CryptoSessionKey {
    const { rekeyBy } = this;
    if (rekeyBy !== undefined && options.now !== undefined && options.now > rekeyBy) {
      throw new ProtocolError('expired', 'the keys are to be replaced', { field: 'bundle.TRr' });
    }
    return this.#state.sessionKey(csId, options.position);
  }

  startUpdate(options: StartUpdateOptions): StartedUpdate {
    const { policies = [], answerWanted, now } = options;
    const keys = copyKeys(options.keys ?? []);
    const { role, flags, csbId, initiator, responder, protection } = this.#given;
    refuseOwnKeys(flags, role, keys);
    const firstSpi = keys[0]?.spi ?? new Uint8Array();
    const sessions = (options.sessions ?? []).map((offer) => offeredSession(offer, firstSpi));
    if (!answerWanted) this.#refuseKeyless(sessions, keys, policies);
    const timestamp = this.#timestamps.next(now);
    const update = { keys: protection, csbId, timestamp, sessions, policies, suppliedKeys: keys };
    const message = sealUpdate(update, { sender: role, initiator, responder }, answerWanted);
    const change = { order: orderOf(timestamp), sessions, policies, keys };
    if (!answerWanted) this.#apply(this.#state.with(change), keys.length, now);
    let isOpen = answerWanted;
    return {
      message,
      accept: (response, receivedAt) => {
        if (!isOpen) throw new ProtocolError('local', 'no answer is due', { field: 'bundle.update' });
        this.#acceptAnswer(decodeMessage(response), message, change, receivedAt);
        isOpen = false;
      },
    };
  }

  #acceptAnswer(response: DecodedMessage, message: Uint8Array, change: BundleChange, now: number): void {
    const { csbId, protection, rules } = this.#given;
    refuseErrorAnswer(response, csbId, 'mikey.update.error', protection);
    checkAnswerHeader(response, decodeMessage(message).header, dataType.transferResp);
    verifyMessage(response, protection, [message]);
    const keys = this.#suppliedKeys(response);
    const offered = this.#state.with(change);
    const sessions = checkAnswer(change.sessions, response, offered.policies, rules);
    const policies = [...policiesOf(response.payloads).values()];
    const timestamp = requiredPayload(response.payloads, 'T');
    const next = offered.with({ order: change.order + 1n, sessions, policies, keys });
    refuseKeylessState(next, sessions);
    this.#timestamps.take(timestamp, now, 'mikey.update.T');
    this.#apply(next, change.keys.length + keys.length, now);
  }

  receiveUpdate(message: Uint8Array, now: number): ReceivedUpdate {
    const decoded = decodeMessage(message);
    const { csbId, protection, rules, initiator, responder } = this.#given;
    const { header } = decoded;
    if (header.dataType !== dataType.transferInit) {
      misbehaved(`data type ${header.dataType}`, 'dataType', mikeyError.invalidDataType);
    }
    if (header.csbId !== csbId) misbehaved('another CSB ID', 'csbId');
    if (header.prf !== protection.suite.prf) misbehaved('another PRF', 'prf', mikeyError.invalidPrf);
    verifyMessage(decoded, protection, [initiator.data, responder.data]);
    this.#refuseNewStatics(decoded);
    const keys = this.#suppliedKeys(decoded);
    const negotiated = checkOffer(decoded, { protTypes: undefined, peer: rules }, this.#state.policies);
    const sessions = negotiated.map(({ session }) => session);
    if (rules.moreSessions !== true) {
      const known = new Set(this.sessions.map(({ csId }) => csId));
      if (sessions.some(({ csId }) => !known.has(csId))) misbehaved('a session more', 'sessions');
    }
    const policies = [...policiesOf(decoded.payloads).values()];
    const timestamp = requiredPayload(decoded.payloads, 'T');
    const change = { order: orderOf(timestamp), sessions, policies, keys };
    const next = this.#state.with(change);
    if (!header.answerWanted) refuseKeylessState(next, sessions);
    this.#timestamps.take(timestamp, now, 'mikey.update.T');
    if (!header.answerWanted) this.#apply(next, keys.length, now);
    let isOpen = header.answerWanted;
    const close = (): void => {
      if (!isOpen) throw new ProtocolError('local', 'no answer is due', { field: 'bundle.update' });
      isOpen = false;
    };
    return {
      answerWanted: header.answerWanted,
      sessions,
      keyCount: keys.length,
      respond: (options) => {
        if (!isOpen) close();
        const answer = this.#answer(message, negotiated, change, options);
        close();
        return answer;
      },
      refuse: (error, refusedAt) => {
        close();
        return answerWithError(message, error, refusedAt, protection) ?? misbehaved('an Error', 'dataType');
      },
    };
  }

  #answer(
    question: Uint8Array,
    negotiated: ReturnType<typeof checkOffer>,
    change: BundleChange,
    options: AnswerUpdateOptions,
  ): Uint8Array {
    const { now } = options;
    const keys = copyKeys(options.keys ?? []);
    const { role, flags, csbId, protection, initiator, responder } = this.#given;
    refuseOwnKeys(flags, role, keys);
    const offered = this.#state.with(change);
    const firstKey = keys[0] ?? change.keys[0] ?? offered.keys[0];
    const { sessions, policies } = answeredSessions(
      negotiated,
      (session) => (session.spi.length > 0 ? session.spi : (firstKey?.spi ?? new Uint8Array())),
      { ...options, takenNumbers: offered.policies.keys() },
    );
    const timestamp = this.#timestamps.next(now);
    const next = offered.with({ order: change.order + 1n, sessions, policies, keys });
    // RFC 6043 5.2: the answer provides a key for each crypto session.
    for (const session of sessions) {
      if (session.spi.length > 0 && next.keysFor(session).length > 0) continue;
      throw new ProtocolError('local', 'a session would have no key', { field: 'bundle.keys' });
    }
    const update = { keys: protection, csbId, timestamp, sessions, policies, suppliedKeys: keys };
    const identity = role === 'initiator' ? initiator : responder;
    const message = sealUpdateAnswer(update, { role, identity }, question);
    this.#apply(next, change.keys.length + keys.length, now);
    return message;
  }

  errorFor(message: Uint8Array, error: unknown, now: number): Uint8Array | undefined {
    const { protection, initiator, responder } = this.#given;
    try {
      verifyMessage(decodeMessage(message), protection, [initiator.data, responder.data]);
    } catch {
      return answerWithError(message, error, now);
    }
    return answerWithError(message, error, now, protection);
  }

  dispose(): void {
    this.#state.dispose();
  }

  #apply(state: BundleState, newKeys: number, now: number): void {
    this.#state = state;
    if (newKeys > 0) this.#keyedAt = now;
  }

  /** Keys of the other end, where its flag allows them. */
  #suppliedKeys(message: DecodedMessage): readonly TicketKey[] {
    const { role, flags, csbId, protection, rules } = this.#given;
    const allowed = maySupplyKeys(flags, role === 'initiator' ? 'responder' : 'initiator');
    return openSuppliedKeys(message, { protection, csbId, allowed, intervals: rules.intervalKeys ?? false });
  }

  #refuseKeyless(
    sessions: readonly CryptoSession[],
    keys: readonly TicketKey[],
    policies: readonly SecurityPolicyPayload[],
  ): void {
    const next = this.#state.with({ order: -1n, sessions, policies, keys });
    for (const session of sessions) {
      if (session.spi.length > 0 && session.policies.length === 1 && next.keysFor(session).length > 0) continue;
      throw new ProtocolError('local', 'a session without key or policy, and no answer to bring them', {
        field: 'bundle.sessions',
      });
    }
  }

  /** RFC 6043 5.2: no new RAND, no new TICKET; names, where there are any, stay. */
  #refuseNewStatics({ payloads }: DecodedMessage): void {
    const { exchangeRands, initiator, responder } = this.#given;
    const same = (role: number, known: Uint8Array | undefined): boolean => {
      const repeated = randInRole(payloads, role);
      return repeated === undefined || (known !== undefined && equalBytes(repeated, known));
    };
    if (!same(randRole.initiator, exchangeRands.initiator) || !same(randRole.responder, exchangeRands.responder)) {
      misbehaved('a new RAND', 'RANDR');
    }
    if (payloads.some(({ payload }) => payload === 'TICKET'))
      misbehaved('a TICKET', 'TICKET', mikeyError.invalidTicket);
    const names = [
      [idRole.initiator, initiator],
      [idRole.responder, responder],
    ] as const;
    for (const [role, known] of names) {
      const named = identityInRole(payloads, role);
      if (named !== undefined && !sameIdentity(named, known) && !sameIdentity(named, this.#given.peer)) {
        misbehaved('another party', 'IDR', mikeyError.invalidIdentity);
      }
    }
  }
}

/** Leaves a place for the answer between two updates. */
const orderOf = (timestamp: TimestampPayload): bigint => 2n * timestampOrder(timestamp);

/** The other end's message must leave no session without a key. */
function refuseKeylessState(state: BundleState, sessions: readonly CryptoSession[]): void {
  for (const session of sessions) {
    if (session.spi.length === 0 || state.keysFor(session).length === 0) misbehaved('a session without key', 'keys');
  }
}

import { assertProtocolError, ProtocolError } from '../../base/errors.ts';
import { SecretBytes } from '../../base/secret-bytes.ts';
import { createBundle } from './bundle.ts';
import { BundleState } from './bundle-state.ts';
import { dataType, idRole, mikeyError, randRole } from './code-points.ts';
import { sessionRands, type ExchangeRands } from './derivation.ts';
import { answerWithError, checkAnswerHeader, refuseErrorAnswer } from './error-message.ts';
import { sameIdentity, type MikeyIdentity } from './identity.ts';
import { decodeMessage, type CryptoSession, type DecodedMessage } from './message.ts';
import { identityInRole, randInRole, requiredPayload, requiredRand } from './payload-access.ts';
import type { SecurityPolicyPayload } from './payloads.ts';
import { messageKeys, verifyMessage, type ProtectionKeys } from './protection.ts';
import { refuseShortRands } from './rand-length.ts';
import { checkAnswer, policiesOf } from './session-negotiation.ts';
import { openSuppliedKeys } from './supplied-keys.ts';
import { copyKeys, forkMpkr, forkTgk, type ForkModifier } from './ticket-keys.ts';
import { refuseStaleAnswer } from './timestamp.ts';
import type { TransferInit } from './transfer-messages.ts';
import type { AcceptedTransfer, AnswerRules, GrantedTicket, TicketKey } from './types.ts';

/** A TRANSFER_INIT on its way, and what is needed to take answers to it. */
export interface SentTransfer {
  readonly ticket: GrantedTicket;
  readonly init: TransferInit;
  readonly message: Uint8Array;
  /** Our own, in its KEMAC. */
  readonly keys: readonly TicketKey[];
  readonly rules: AnswerRules;
}

const misbehaved = (problem: string, field: string): never => {
  throw new ProtocolError('peer-misbehaved', problem, {
    field: `mikey.TRANSFER_RESP.${field}`,
    hint: { mikey: mikeyError.unspecified },
  });
};

/** Reading [A31]: RANDRr stands there exactly when flag G says so. */
function responderRand(response: DecodedMessage, expected: boolean): { readonly responder?: Uint8Array } {
  const responder = randInRole(response.payloads, randRole.responder);
  if ((responder !== undefined) !== expected) misbehaved('RANDRr does not fit flag G', 'RANDRr');
  return responder === undefined ? {} : { responder };
}

/** Who answered and under which keys: they depend on the answer itself with forking (RFC 6043 5.1.1). */
interface Answer {
  readonly responder: MikeyIdentity;
  readonly rands: ExchangeRands;
  readonly modifier: ForkModifier | undefined;
  readonly protection: ProtectionKeys;
}

function readAnswer({ ticket, init, message }: SentTransfer, response: DecodedMessage): Answer {
  const { suite, csbId } = init;
  checkAnswerHeader(response, decodeMessage(message).header, dataType.transferResp);
  const responder = identityInRole(response.payloads, idRole.responder) ?? init.responder;
  const rands: ExchangeRands = { initiator: init.rand, ...responderRand(response, ticket.flags.G) };
  const modifier = ticket.flags.I
    ? { responder: responder.data, kmsRand: requiredRand(response.payloads, randRole.kms) }
    : undefined;
  const messageKey =
    modifier === undefined || ticket.mpkr === undefined
      ? ticket.mpki
      : ticket.mpkr.use((mpkr) => new SecretBytes(forkMpkr(ticketPrf(ticket), mpkr, modifier)));
  return { responder, rands, modifier, protection: messageKeys(suite, messageKey, csbId, 'response', rands) };
}

/** The PRF of forking is the ticket's, whatever the messages use (RFC 6043 5.1.1). */
const ticketPrf = (ticket: GrantedTicket): number => ticket.ticketPayload.policy.prf;

/**
 * Takes TRANSFER_RESP (RFC 6043 4.2.2.4). Nothing that earlier answers gave changes: each answer of a forked invitation makes keys
 * and a bundle of its own.
 */
export function acceptTransferResponse(sent: SentTransfer, response: DecodedMessage, now: number): AcceptedTransfer {
  const { ticket, init, message } = sent;
  const { suite, csbId } = init;
  const initialKeys = messageKeys(suite, init.mpki, csbId, 'initial', { initiator: init.rand });
  refuseErrorAnswer(response, csbId, 'mikey.transfer.error', initialKeys);
  if (!ticket.flags.F) {
    throw new ProtocolError('local', 'this ticket has no answers', { field: 'transfer.accept' });
  }
  const answer = readAnswer(sent, response);
  const { responder, rands, modifier, protection } = answer;
  verifyMessage(response, protection, [message]);
  const timestamp = requiredPayload(response.payloads, 'T');
  refuseStaleAnswer(timestamp, now, 'mikey.TRANSFER_RESP.T');
  // The KMS puts there an identity of the ticket (RFC 6043 4.2.3.5); anybody else has no business with these keys.
  const isNamed = ticket.responders.some((named) => sameIdentity(named, responder));
  if (!isNamed && !(ticket.flags.I && sent.rules.groupMembers === true)) misbehaved('not named by the ticket', 'IDRr');
  checkRands(ticket, rands, modifier);
  const suppliedKeys = openSuppliedKeys(response, {
    protection,
    csbId,
    allowed: ticket.flags.M,
    intervals: sent.rules.intervalKeys ?? false,
  });
  const state = negotiatedState(sent, response, { answer, suppliedKeys });
  const bundle = createBundle({
    role: 'initiator',
    csbId,
    initiator: init.initiator,
    responder: init.responder,
    peer: responder,
    flags: ticket.flags,
    exchangeRands: rands,
    state,
    protection,
    ownTimestamp: init.timestamp,
    peerTimestamp: timestamp,
    rules: sent.rules,
    rekeyingSeconds: ticket.rekeyingSeconds,
    now,
  });
  const csId = init.sessions[0]?.csId ?? 0;
  return { tek: state.sessionKey(csId, state.start(csId)).tek, responder, bundle };
}

/** RFC 6043 12.1: both RANDs for MPK, TGK and GTGK; RANDRkms for what it forks. */
function checkRands(ticket: GrantedTicket, rands: ExchangeRands, modifier: ForkModifier | undefined): void {
  const lengths = [ticket.mpki, ...ticket.keys.map(({ key }) => key)].map(({ length }) => ({
    key: new Uint8Array(length),
  }));
  refuseShortRands([rands.initiator, rands.responder], lengths, 'mikey.TRANSFER_RESP.RANDRr');
  if (modifier !== undefined) refuseShortRands(modifier.kmsRand, lengths, 'mikey.TRANSFER_RESP.RANDRkms');
}

function negotiatedState(
  { ticket, init, keys, rules }: SentTransfer,
  response: DecodedMessage,
  { answer, suppliedKeys }: { readonly answer: Answer; readonly suppliedKeys: readonly TicketKey[] },
): BundleState {
  const { modifier, rands } = answer;
  const offeredPolicies = new Map(init.policies.map((policy) => [policy.policyNumber, policy]));
  const sessions: readonly CryptoSession[] = checkAnswer(init.sessions, response, offeredPolicies, rules);
  const policies: readonly SecurityPolicyPayload[] = [...init.policies, ...policiesOf(response.payloads).values()];
  const ticketKeys =
    modifier === undefined
      ? copyKeys(ticket.keys)
      : copyKeys(ticket.keys).map((key) => forkTicketKey(ticketPrf(ticket), key, modifier));
  const state = new BundleState({
    suite: init.suite,
    rands: sessionRands(ticket.flags, rands),
    sessions,
    policies,
    // Reading [A36].
    layers: [suppliedKeys, copyKeys(keys), ticketKeys],
  });
  for (const session of sessions) {
    if (state.keysFor(session).length === 0) misbehaved('names a key that nobody gave', 'spi');
  }
  return state;
}

/** Only a TGK of the ticket forks; reading [A9]: SPI and SALT stay. */
function forkTicketKey(prf: number, key: TicketKey, modifier: ForkModifier): TicketKey {
  if (key.kind !== 'TGK') return key;
  return { ...key, key: key.key.use((octets) => new SecretBytes(forkTgk(prf, octets, modifier))) };
}

/** Authenticated where the answer that failed was authentic: its auth_key is that of the failing message (reading [A13]). */
export function errorForResponse(
  sent: SentTransfer,
  response: Uint8Array,
  error: unknown,
  now: number,
): Uint8Array | undefined {
  return answerWithError(response, error, now, provenKeys(sent, response));
}

function provenKeys(sent: SentTransfer, response: Uint8Array): ProtectionKeys | undefined {
  try {
    const decoded = decodeMessage(response);
    const { protection } = readAnswer(sent, decoded);
    verifyMessage(decoded, protection, [sent.message]);
    return protection;
  } catch (error) {
    assertProtocolError(error);
    return undefined;
  }
}

import { ProtocolError } from '../../base/errors.ts';
import { randomU32, type Random } from '../../base/random.ts';
import { SecretBytes } from '../../base/secret-bytes.ts';
import { constantTimeEqual } from '../../crypto/constant-time.ts';
import { profile } from '../profile.ts';
import { readInitiatorData } from './base-ticket.ts';
import { idRole, mikeyError, randRole } from './code-points.ts';
import type { ExchangeRands } from './derivation.ts';
import { sameIdentity } from './identity.ts';
import { decodeMessage } from './message.ts';
import { identityInRole, requiredPayload, requiredRand } from './payload-access.ts';
import { messageKeys, suites, verifyMessage } from './protection.ts';
import type { CheckedTransfer } from './checked-transfer.ts';
import { openResolveResponse, sealResolveInit, type ResolveFork, type ResolveInit } from './resolve-messages.ts';
import { keyForSession, sessionTek, ticketKey, type KeyList } from './ticket-keys.ts';
import { checkForkedTgk } from './ticket-policy.ts';
import { ntpTimestamp, refuseStale, timestampMilliseconds } from './timestamp.ts';
import { cryptoSession, emptySecurityPolicy, sessionRands } from './transfer.ts';
import { sealTransferResponse } from './transfer-messages.ts';
import type { ResolvedTransfer, ResolveOptions, TicketKey, TicketResolve } from './types.ts';

/** Asks the KMS to resolve the ticket of a checked TRANSFER_INIT (RFC 6043 4.2.3), the PSK variant. */
export function createTicketResolve(checked: CheckedTransfer, options: ResolveOptions): TicketResolve {
  return ticketResolve(checked, options, sealResolveInit);
}

/** What both variants of Ticket Resolve have in common. @param seal writes the message and proves its sender. */
export function ticketResolve(
  checked: CheckedTransfer,
  options: ResolveOptions & Pick<ResolveInit, 'kmsKey'>,
  seal: (init: ResolveInit) => Uint8Array,
): TicketResolve {
  const suite = suites[options.suite ?? checked.suite.name];
  if (suite.keyBits < checked.suite.keyBits) {
    throw new ProtocolError('local', 'a suite weaker than the ticket', { field: 'resolve.suite', expected: '256' });
  }
  // No road leads from our KMS to another one, so a ticket of another KMS ends here.
  if (checked.policy.kms !== undefined && !sameIdentity(checked.policy.kms, options.kms)) {
    throw new ProtocolError('policy-denied', 'the ticket was issued by another KMS', {
      field: 'mikey.policy.kms',
      hint: { mikey: mikeyError.invalidTicket },
    });
  }
  const init: ResolveInit = {
    suite,
    psk: options.psk,
    pskId: options.pskId,
    csbId: randomU32(options.random),
    timestamp: ntpTimestamp(options.now),
    rand: options.random.bytes(profile.mikey.randOctets),
    responder: options.self,
    kms: options.kms,
    ticket: checked.ticket,
    ...(options.kmsKey === undefined ? {} : { kmsKey: options.kmsKey }),
  };
  const message = seal(init);
  return { message, accept: (response, now) => acceptResolve(checked, init, message, response, now) };
}

const misbehaved = (problem: string, field: string): never => {
  throw new ProtocolError('peer-misbehaved', problem, { field: `mikey.RESOLVE_RESP.${field}` });
};

function acceptResolve(
  checked: CheckedTransfer,
  init: ResolveInit,
  message: Uint8Array,
  response: Uint8Array,
  now: number,
): ResolvedTransfer {
  const decoded = decodeMessage(response);
  const list = openResolveResponse(init, message, decoded);
  refuseStale(timestampMilliseconds(requiredPayload(decoded.payloads, 'T'), 'mikey.T'), now, 'mikey.RESOLVE_RESP.T');
  const kms = identityInRole(decoded.payloads, idRole.kms);
  if (kms !== undefined && !sameIdentity(kms, init.kms)) misbehaved('another KMS answered', 'IDRkms');
  const fork = checked.policy.flags.I
    ? {
        responder: identityInRole(decoded.payloads, idRole.responder) ?? misbehaved('missing with forking', 'IDRr'),
        rand: requiredRand(decoded.payloads, randRole.kms),
      }
    : undefined;
  const mpki = new SecretBytes(list.mpks[0]?.key ?? misbehaved('no MPKi', 'KEMAC'));
  proveTransfer(checked, mpki);
  return resolvedTransfer(checked, list, mpki, fork);
}

/**
 * RFC 6043 4.2.3.6: V of TRANSFER_INIT under MPKi and, with forking, the same MAC as Vi, which the KMS proved to come from
 * the ticket's initiator.
 */
function proveTransfer(
  { message, suite, rand, initiator, responder, ticket, verification, policy }: CheckedTransfer,
  mpki: SecretBytes,
): void {
  const keys = messageKeys(suite, mpki, message.header.csbId, 'initial', { initiator: rand });
  verifyMessage(message, keys, [initiator.data, responder.data], true);
  if (!policy.flags.I) return;
  if (!constantTimeEqual(readInitiatorData(ticket.initiatorData).vi, verification.mac)) {
    throw new ProtocolError('peer-misbehaved', 'Vi belongs to another message', {
      field: 'mikey.TICKET.Vi',
      hint: { mikey: mikeyError.authenticationFailure },
    });
  }
}

function resolvedTransfer(
  checked: CheckedTransfer,
  list: KeyList,
  mpki: SecretBytes,
  fork: ResolveFork | undefined,
): ResolvedTransfer {
  const { policy, session, suite } = checked;
  const { flags } = policy;
  const keys = list.keys.map(ticketKey);
  checkForkedTgk(
    flags,
    keys.some(({ kind }) => kind === 'TGK'),
  );
  const key = keyForSession(keys, session.spi) ?? misbehaved('no key for the session', 'KEMAC');
  const messageKey = fork === undefined ? mpki : new SecretBytes(list.mpks[1]?.key ?? misbehaved("no MPKr'", 'KEMAC'));
  return {
    originProven: flags.I,
    initiator: checked.initiator,
    spi: key.spi,
    sessionKey: () => {
      if (flags.F) throw new ProtocolError('local', 'the key is made from an answer', { field: 'transfer.sessionKey' });
      return deriveTek(checked, key, { initiator: checked.rand });
    },
    respond: ({ now, random }) => {
      if (!flags.F) throw new ProtocolError('local', 'this ticket has no answers', { field: 'transfer.respond' });
      const rands = answerRands(checked, random);
      const message = sealTransferResponse(
        {
          suite,
          csbId: checked.message.header.csbId,
          timestamp: ntpTimestamp(now),
          rands,
          // RFC 6043 4.2.3.5: identity and random value of RESOLVE_RESP are handed on as they are.
          responder: fork?.responder ?? checked.responder,
          kmsRand: fork?.rand,
          ...chosen(checked, key.spi),
          messageKey,
        },
        checked.message.bytes,
      );
      return { message, tek: deriveTek(checked, key, rands) };
    },
  };
}

function answerRands({ rand, policy }: CheckedTransfer, random: Random): ExchangeRands {
  return { initiator: rand, ...(policy.flags.G ? { responder: random.bytes(profile.mikey.randOctets) } : {}) };
}

/** Exactly one policy; one of our own only when the initiator offered none (RFC 6043 6.1.1). */
function chosen(
  { session, chosenPolicy }: CheckedTransfer,
  spi: Uint8Array,
): Pick<Parameters<typeof sealTransferResponse>[0], 'sessions' | 'policies'> {
  const own = cryptoSession(session.csId, session.protType, spi);
  return chosenPolicy === undefined
    ? { sessions: [own], policies: [emptySecurityPolicy(session.protType)] }
    : { sessions: [{ ...own, policies: [chosenPolicy.policyNumber] }], policies: [] };
}

/** The KMS has forked the key already where it has to be. */
function deriveTek({ suite, session, policy }: CheckedTransfer, key: TicketKey, rands: ExchangeRands): SecretBytes {
  return key.key.use(
    (octets) => new SecretBytes(sessionTek(suite, key.kind, octets, session.csId, sessionRands(policy.flags, rands))),
  );
}

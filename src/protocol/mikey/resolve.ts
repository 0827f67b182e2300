import { ProtocolError } from '../../base/errors.ts';
import { randomU32 } from '../../base/random.ts';
import { profile } from '../profile.ts';
import { authenticatedTime } from './answer-time.ts';
import type { CheckedTransfer } from './checked-transfer.ts';
import { idRole, mikeyError, randRole } from './code-points.ts';
import { sameIdentity } from './identity.ts';
import { decodeMessage } from './message.ts';
import { identityInRole, randInRole, requiredPayload, requiredRand } from './payload-access.ts';
import { suites } from './protection.ts';
import { refuseShortRands } from './rand-length.ts';
import {
  openResolveResponse,
  resolveQuestion,
  sealResolveInit,
  type ResolveFork,
  type ResolveInit,
} from './resolve-messages.ts';
import { resolvedTransfer } from './resolved-transfer.ts';
import { makeTimestamp, refuseStaleAnswer } from './timestamp.ts';
import type { ResolvedTransfer, ResolveOptions, TicketResolve } from './types.ts';

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
  const suite = suites[options.suite ?? checked.policy.suite.name];
  // Reading [A17]: the keys of the ticket travel under the algorithms of this exchange.
  if (suite.keyBits < checked.policy.suite.keyBits) {
    throw new ProtocolError('local', 'a suite weaker than the ticket', { field: 'resolve.suite', expected: '256' });
  }
  const init: ResolveInit = {
    suite,
    psk: options.psk,
    pskId: options.pskId,
    csbId: randomU32(options.random),
    timestamp: makeTimestamp(options.now, options.timestamp),
    rand: options.random.bytes(profile.mikey.randOctets),
    responder: options.self,
    kms: options.kms,
    ticket: checked.ticket,
    ...(options.kmsKey === undefined ? {} : { kmsKey: options.kmsKey }),
  };
  const message = seal(init);
  return {
    message,
    accept: (response, now) => acceptResolve(checked, init, message, response, now),
    answerTime: (response) => authenticatedTime(resolveQuestion(init), message, response),
  };
}

const misbehaved = (problem: string, field: string): never => {
  throw new ProtocolError('peer-misbehaved', problem, {
    field: `mikey.RESOLVE_RESP.${field}`,
    hint: { mikey: mikeyError.unspecified },
  });
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
  const { payloads } = decoded;
  refuseStaleAnswer(requiredPayload(payloads, 'T'), now, 'mikey.RESOLVE_RESP.T');
  const kms = identityInRole(payloads, idRole.kms);
  if (kms !== undefined && !sameIdentity(kms, init.kms)) misbehaved('another KMS answered', 'IDRkms');
  const { I } = checked.policy.flags;
  // Reading [A32]: both are required with forking; without it they are echoed where they are, and used for nothing.
  const responder = identityInRole(payloads, idRole.responder);
  if (I && responder === undefined) misbehaved('missing with forking', 'IDRr');
  const rand = I ? requiredRand(payloads, randRole.kms) : randInRole(payloads, randRole.kms);
  if (I && rand !== undefined) refuseShortRands(rand, [...list.mpks, ...list.keys], 'mikey.RESOLVE_RESP.RANDRkms');
  const echo: Partial<ResolveFork> = {
    ...(responder === undefined ? {} : { responder }),
    ...(rand === undefined ? {} : { rand }),
  };
  return resolvedTransfer(checked, list, echo, now);
}

import { ProtocolError } from '../../base/errors.ts';
import { randomU32, type Random } from '../../base/random.ts';
import type { SecretBytes } from '../../base/secret-bytes.ts';
import { profile } from '../profile.ts';
import { dataType, idRole, randRole } from './code-points.ts';
import { readErrorMessage } from './error-message.ts';
import { sameIdentity, type MikeyIdentity } from './identity.ts';
import { decodeMessage, type DecodedMessage } from './message.ts';
import { identityInRole, requiredPayload, requiredRand } from './payload-access.ts';
import type { KeyDataPayload, TicketPayload } from './payloads.ts';
import { messageKeys, suiteOfPrf } from './protection.ts';
import { openResolveResponse, sealResolveInit, type ResolveFork, type ResolveInit } from './resolve-messages.ts';
import { checkForkedTgk, readPolicy } from './ticket-policy.ts';
import { kindOf } from './ticket-keys.ts';
import { ntpTimestamp, refuseStale, timestampMilliseconds } from './timestamp.ts';

/** A ticket that another KMS issued, with the identity that one of our users answers for. */
export interface ForeignTicket {
  /** IDRkms of the ticket's policy. */
  readonly issuer: MikeyIdentity;
  /** IDRi of the ticket's policy: whom the issuer vouches for. */
  readonly initiator: MikeyIdentity | undefined;
  /** Named in the ticket. */
  readonly responder: MikeyIdentity;
  /** As our user sent it, Initiator Data included. */
  readonly ticket: TicketPayload;
}

/** What two KMSs share. */
export interface ForwardCredential {
  readonly psk: SecretBytes;
  /** RFC 6043 10: IDRr cannot be used to look up the key, so the key is always named. */
  readonly pskId: MikeyIdentity;
}

/** The keys of a ticket, as its issuer gave them out. */
export interface IssuedKeys {
  /** MPKi, with forking MPKr', then the session keys, TGKs forked already. */
  readonly keys: readonly KeyDataPayload[];
  /** The issuer's modifier; present exactly with flag I. */
  readonly fork: ResolveFork | undefined;
}

export type ForwardAnswer =
  | ({ readonly answer: 'keys' } & IssuedKeys)
  /** The issuer itself refused, and proved that it did. */
  | { readonly answer: 'refused'; readonly error: ProtocolError };

/** What asking the issuer of a ticket led to. */
export type IssuerAnswer =
  | ForwardAnswer
  /** No agreement with that KMS. */
  | { readonly answer: 'unknown' }
  /** It did not answer, or not now. */
  | { readonly answer: 'away'; readonly error: ProtocolError; readonly retryAfterSeconds: number }
  /** It answered what cannot be right, or did not prove who it is. */
  | { readonly answer: 'failed'; readonly error: ProtocolError };

export interface ForwardedResolve {
  /** RESOLVE_INIT_PSK, for the issuer. */
  readonly message: Uint8Array;
  /** @throws ProtocolError when the answer is not authentic, not fresh, or not one to this question. */
  accept(response: Uint8Array, now: number): ForwardAnswer;
}

/**
 * A KMS's own RESOLVE_INIT for a ticket that it cannot open (RFC 6043 10): "The IDRr and TICKET payloads from the previous
 * RESOLVE_INIT message SHOULD be reused."
 */
export function forwardResolve(
  foreign: ForeignTicket,
  credential: ForwardCredential,
  { now, random }: { readonly now: number; readonly random: Random },
): ForwardedResolve {
  const init: ResolveInit = {
    // Reading [A17]: no weaker than what it asks for, and the issuer may know no more than what it used itself.
    suite: suiteOfPrf(foreign.ticket.policy.prf, 'mikey.policy.prf'),
    ...credential,
    csbId: randomU32(random),
    timestamp: ntpTimestamp(now),
    // Reading [A12]: this exchange's own, not the RANDRr of our user.
    rand: random.bytes(profile.mikey.randOctets),
    responder: foreign.responder,
    kms: foreign.issuer,
    ticket: foreign.ticket,
  };
  const message = sealResolveInit(init);
  return { message, accept: (response, at) => acceptForwarded(init, message, response, at) };
}

const misbehaved = (problem: string, field: string): never => {
  throw new ProtocolError('peer-misbehaved', problem, { field: `mikey.RESOLVE_RESP.${field}` });
};

function acceptForwarded(init: ResolveInit, message: Uint8Array, response: Uint8Array, now: number): ForwardAnswer {
  const decoded = decodeMessage(response);
  if (decoded.header.dataType === dataType.error) return { answer: 'refused', error: refusalOf(init, decoded) };
  const { mpks, keys } = openResolveResponse(init, message, decoded);
  refuseStale(timestampMilliseconds(requiredPayload(decoded.payloads, 'T'), 'mikey.T'), now, 'mikey.RESOLVE_RESP.T');
  const kms = identityInRole(decoded.payloads, idRole.kms);
  if (kms !== undefined && !sameIdentity(kms, init.kms)) misbehaved('another KMS answered', 'IDRkms');
  const { flags } = init.ticket.policy;
  checkForkedTgk(
    flags,
    keys.some((key) => kindOf(key) === 'TGK'),
  );
  return { answer: 'keys', keys: [...mpks, ...keys], fork: flags.I ? forkOf(init, decoded) : undefined };
}

/** Reading [A32]: both with forking. Its issuer may adjust IDRr, but only to another name of the same ticket (RFC 6043 4.2.3.4). */
function forkOf(init: ResolveInit, { payloads }: DecodedMessage): ResolveFork {
  const responder = identityInRole(payloads, idRole.responder) ?? misbehaved('missing with forking', 'IDRr');
  const { responders } = readPolicy(init.ticket.policy);
  if (!responders.some((one) => sameIdentity(one, responder))) misbehaved('nobody that the ticket names', 'IDRr');
  return { responder, rand: requiredRand(payloads, randRole.kms) };
}

/** Only a refusal under our common key is the issuer's; anything else is a fault on the way. */
function refusalOf(init: ResolveInit, response: DecodedMessage): ProtocolError {
  const keys = messageKeys(init.suite, init.psk, init.csbId, 'initial', { responder: init.rand });
  const { csbId, errorNumbers, authenticated } = readErrorMessage(response, keys);
  if (csbId !== init.csbId) misbehaved('an Error that answers another message', 'csbId');
  if (!authenticated) misbehaved('a refusal without proof', 'V');
  return new ProtocolError('policy-denied', 'refused by the KMS that issued the ticket', {
    field: 'kms.issuer',
    hint: { mikey: errorNumbers[0] },
  });
}

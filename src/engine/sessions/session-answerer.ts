import { describeError, ProtocolError } from '../../base/errors.ts';
import type { Policy, ProtectionLevel } from '../../base/protection-level.ts';
import { randomId } from '../../base/random.ts';
import { limits } from '../limits.ts';
import { acceptsIncoming } from '../policy.ts';
import type { RelayPlace } from '../msrp/relay-client.ts';
import type { MsrpDialled, MsrpListener, SocketAddress } from '../ports.ts';
import { asRefusalError, refusal, refuse, RefusalError, type Refusal } from '../refusal.ts';
import type { IncomingInvite, SdpNegotiator } from '../sip/index.ts';
import { addressOfPath, farAddresses, forOffer } from './cema.ts';
import { rejectOffer, warningOf } from './offer-rejection.ts';
import { networkFacts, type SessionContext } from './session-context.ts';
import { decideStream, type StreamDecision } from './session-decision.ts';
import type { AnsweredKey } from './session-keys.ts';
import { establish, relaySecurity, type EstablishedStream } from './session-opener.ts';
import {
  buildAnswer,
  connectingOnly,
  localStream,
  readRemoteStream,
  relayedStream,
  remoteAddress,
  requireDirect,
  roleForOffer,
  type LocalStream,
  type RemoteStream,
  type StreamRole,
  type StreamSecurityLines,
} from './stream-description.ts';
import type { StreamSecurity } from './stream-media.ts';
import type { StreamPurpose } from './stream-purpose.ts';

type Usable = Exclude<StreamDecision, { mode: 'abort' }>;

/** An invitation whose offer was read and may be taken under the policy; nothing was answered yet. */
export interface JudgedInvite {
  readonly invite: IncomingInvite;
  /** KMS user identity of the caller, by the network's word. */
  readonly peer: string;
  readonly remote: RemoteStream;
  readonly decision: Usable;
  /** What the stream will be protected with at best. */
  readonly level: ProtectionLevel;
}

/**
 * Judges an offer, or refuses it with 400 or 488 and a Warning (profile 3.2).
 * @throws RefusalError; the caller has its answer then.
 */
export function judgeInvite(
  context: SessionContext,
  invite: IncomingInvite,
  peer: string,
  remote: RemoteStream,
  policy: Policy,
): JudgedInvite {
  try {
    const decision = judgeOffer(context, invite, remote, policy);
    return { invite, peer, remote, decision, level: decision.mode === 'psk' ? 'e2e' : decision.level };
  } catch (error) {
    const problem = asRefusalError(error, 'peer-incompatible');
    rejectOffer(context, invite, remote, problem);
    throw problem;
  }
}

/**
 * Answers an invitation that was judged, and connects.
 * @throws RefusalError; the caller has its answer then and nothing stays open.
 */
export async function answerInvite(
  context: SessionContext,
  judged: JudgedInvite,
  purpose: StreamPurpose,
): Promise<EstablishedStream> {
  const { invite, remote, decision, peer } = judged;
  let secured: { security: StreamSecurity; lines: StreamSecurityLines };
  try {
    secured = await secure(context, remote, decision, peer);
  } catch (error) {
    const problem = asRefusalError(error, 'peer-incompatible');
    rejectOffer(context, invite, remote, problem);
    throw problem;
  }
  try {
    return await accept(context, invite, remote, secured, purpose);
  } catch (error) {
    if (secured.security.mode === 'relay') secured.security.place.seat.close();
    throw error;
  }
}

/**
 * RFC 6714 section 4.3: an offer whose addresses speak of a middlebox that does not know CEMA cannot be answered.
 * @throws RefusalError after 488.
 */
export async function requireReachable(
  context: SessionContext,
  invite: IncomingInvite,
  { media }: RemoteStream,
): Promise<void> {
  const far = await farAddresses(media, context.ports.msrp);
  if (forOffer({ ...far, setup: media.setup }, { relayed: false }).verdict === 'answer') return;
  const happened = 'The addresses of the offered session do not agree with each other';
  invite.reject(488, { warning: happened });
  throw refuse('peer-incompatible', 'session', { happened });
}

/** @throws RefusalError after 400 or 488 for an offer that cannot be read or has no MSRP stream. */
export function readOffer(context: SessionContext, invite: IncomingInvite): RemoteStream {
  try {
    return readRemoteStream(invite.offer);
  } catch (error) {
    const status = error instanceof ProtocolError && error.hint.sip === 400 ? 400 : 488;
    const happened = `The offered session cannot be used (${describeError(error)})`;
    context.ports.log.log('warn', 'session.offer-unusable', { reason: describeError(error) });
    invite.reject(status, { warning: warningOf(happened) });
    throw refuse('peer-incompatible', 'session', { happened, cause: error });
  }
}

function judgeOffer(context: SessionContext, invite: IncomingInvite, remote: RemoteStream, policy: Policy): Usable {
  const decision = decideStream(remote.facts, {
    sent: 'nothing',
    ...networkFacts(context, invite.onRegisteredFlow ? invite.flow : undefined),
    ownRelay: context.relay !== undefined,
  });
  if (decision.mode === 'abort') throw refuse(decision.code, 'session', { happened: decision.happened });
  const level = decision.mode === 'psk' ? 'e2e' : decision.level;
  if (!acceptsIncoming(policy, level)) {
    const code = level === 'unverified' && policy === 'require-e2ae' ? 'no-network-indication' : 'policy-not-met';
    throw refuse(code, 'session', { reached: level, required: policy });
  }
  return decision;
}

async function secure(
  context: SessionContext,
  remote: RemoteStream,
  decision: Usable,
  peer: string,
): Promise<{ security: StreamSecurity; lines: StreamSecurityLines }> {
  switch (decision.mode) {
    case 'plain':
      return { security: { mode: 'plain' }, lines: { secure: false } };
    case 'fingerprint': {
      const certificate = await context.certificate();
      const fingerprint = { hash: 'sha-256', value: certificate.sha256 };
      // Profile 2.3: the answer carries no `3ge2ae`.
      return { security: { mode: 'fingerprint', decision, certificate }, lines: { secure: true, fingerprint } };
    }
    case 'relay':
      return { security: await secureRelayed(context, remote, decision), lines: { secure: true } };
    case 'psk': {
      const answered = await answerKey(context, remote, peer);
      return {
        security: { mode: 'psk', key: answered.key },
        lines: { secure: true, keyManagement: answered.message },
      };
    }
  }
}

async function secureRelayed(
  context: SessionContext,
  { media }: RemoteStream,
  decision: Extract<Usable, { mode: 'relay' }>,
): Promise<StreamSecurity> {
  const { relay, relayTrust } = context;
  if (decision.side === 'own' && relay !== undefined) return relaySecurity(decision, await relay.place());
  // Nothing proves who would connect to us in the name of a relay.
  if (roleForOffer(media) === 'passive') {
    throw refuse('peer-incompatible', 'session', { happened: 'The other side’s relay would connect without proof' });
  }
  const name = addressOfPath(media).host;
  return { mode: 'peer-relay', name, ...(relayTrust === undefined ? {} : { trustedCa: relayTrust }) };
}

async function answerKey(context: SessionContext, { media }: RemoteStream, peer: string): Promise<AnsweredKey> {
  // Checked before the KMS is asked: a stream that cannot be connected end to end needs no key.
  requireDirect(await farAddresses(media, context.ports.msrp));
  if (media.keyMgmt === undefined) {
    throw refuse('peer-incompatible', 'session', {
      happened: 'The other side offers a key management that is not MIKEY',
    });
  }
  return context.keys.answer(media.keyMgmt, media.keyMgmtProtocols, peer);
}

async function accept(
  context: SessionContext,
  invite: IncomingInvite,
  remote: RemoteStream,
  { security, lines }: { security: StreamSecurity; lines: StreamSecurityLines },
  purpose: StreamPurpose,
): Promise<EstablishedStream> {
  const { ports } = context;
  const { media } = remote;
  const place = security.mode === 'relay' ? security.place : undefined;
  const far = await farAddresses(media, ports.msrp);
  const cema = forOffer({ ...far, setup: media.setup }, { relayed: place !== undefined });
  const connectTo = cema.verdict === 'answer' ? cema.connectTo : 'path';
  const listener = place === undefined ? await ports.msrp.listen(context.userAgent.flow?.localAddress) : undefined;
  let dialled: MsrpDialled | undefined;
  try {
    const farAddress = remoteAddress(media, connectTo);
    dialled = place === undefined ? await dialIfFree(context, remote, farAddress) : undefined;
    const role = roleOfAnswer(remote, place, dialled);
    const local = localEnd(listener, place, role, randomId(ports.random, 12), lines.secure);
    const stream = { role, remote, address: farAddress, security, ...(dialled === undefined ? {} : { dialled }) };
    const answer = buildAnswer(
      remote,
      local,
      lines,
      role,
      purpose,
      ports.random,
      cema.verdict === 'answer' && cema.cema,
    );
    const sip = await invite.accept(answering(answer));
    return await establish(context, sip, stream, local, listener, purpose);
  } catch (error) {
    dialled?.close();
    if (error instanceof ProtocolError) {
      invite.reject(488, { warning: warningOf(error.message) });
      throw refuse('peer-incompatible', 'session', { cause: error });
    }
    if (error instanceof RefusalError) throw error;
    throw refuse('connection-lost', 'session', { cause: error });
  } finally {
    listener?.close();
  }
}

function roleOfAnswer(
  { media }: RemoteStream,
  place: RelayPlace | undefined,
  dialled: MsrpDialled | undefined,
): StreamRole {
  // RFC 6714 section 4.3: behind a relay we are passive, since the relay would not connect to a middlebox for us.
  if (place !== undefined && media.setup !== 'passive') return 'passive';
  if (place === undefined && media.setup === 'actpass' && dialled === undefined) return 'passive';
  return roleForOffer(media);
}

function localEnd(
  listener: MsrpListener | undefined,
  place: RelayPlace | undefined,
  role: StreamRole,
  id: string,
  secure: boolean,
): LocalStream {
  if (place !== undefined) return relayedStream(place.path);
  const address = listener?.address ?? { host: '0.0.0.0', port: 0 };
  return localStream(role === 'active' ? connectingOnly(address) : address, id, secure);
}

/**
 * An offer that leaves us the choice (`actpass`) is answered `active` only when we can connect, for `active` cannot be
 * taken back (RFC 4145 section 4.1, RFC 6135 section 4.2.2): from behind a NAT or a firewall one of the two ways may be
 * closed. Nothing is said on the connection before the answer.
 */
async function dialIfFree(
  { ports }: SessionContext,
  remote: RemoteStream,
  address: SocketAddress,
): Promise<MsrpDialled | undefined> {
  if (remote.media.setup !== 'actpass') return undefined;
  try {
    return await ports.msrp.dial(address, limits.mediaDialMilliseconds);
  } catch (error) {
    ports.log.log('info', 'session.let-other-side-connect', { reason: describeError(error) });
    return undefined;
  }
}

function answering(answer: string): SdpNegotiator {
  return {
    createOffer: () => Promise.reject(new Error('this negotiator answers only')),
    acceptAnswer: () => Promise.reject(new Error('this negotiator answers only')),
    createAnswer: () => Promise.resolve(answer),
    close: () => undefined,
  };
}

/** For the log and the user: an invitation that was refused before it was looked at. */
export function tooManySessions(): Refusal {
  return refusal('peer-refused', 'invitation', { happened: 'Too many sessions are open' });
}

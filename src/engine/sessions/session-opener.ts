import { describeError, ProtocolError } from '../../base/errors.ts';
import type { ProtectionLevel } from '../../base/protection-level.ts';
import { randomId } from '../../base/random.ts';
import { MsrpChannel } from '../msrp/msrp-channel.ts';
import { withDeadline } from '../deadline.ts';
import { limits } from '../limits.ts';
import { AnswerCause } from '../outbox/answer-cause.ts';
import type { RelayPlace } from '../msrp/relay-client.ts';
import type { DeviceCertificate, EnginePorts, MsrpListener } from '../ports.ts';
import { refuse, type RefusalError } from '../refusal.ts';
import type { FlowFacts, InviteOutcome, SdpNegotiator, SipSession } from '../sip/index.ts';
import { afterAnswer, farAddresses } from './cema.ts';
import { networkFacts, type SessionContext } from './session-context.ts';
import { decideStream, type StreamDecision } from './session-decision.ts';
import type { OfferedKey } from './session-keys.ts';
import {
  buildOffer,
  localStream,
  readRemoteStream,
  relayedStream,
  remoteAddress,
  requireDirect,
  roleForAnswer,
  type LocalStream,
  type RemoteStream,
} from './stream-description.ts';
import type { StreamPurpose } from './stream-purpose.ts';
import { openStream, type NegotiatedStream, type OpenedStream, type StreamSecurity } from './stream-media.ts';

/** What an offer asks for; `relay`: through the relay of the account; `plain` only where the policy allows everything and the network has no more. */
export type Protection = 'key-management' | 'requested' | 'relay' | 'plain';

export interface EstablishedStream extends OpenedStream {
  readonly sip: SipSession;
  readonly channel: MsrpChannel;
  readonly peerAcceptTypes: readonly string[];
  /** Octets of the largest message that the far end takes; undefined where it named no bound. */
  readonly peerMaxSize: number | undefined;
  readonly peerAcceptWrappedTypes: readonly string[];
}

interface Attempt {
  readonly protection: Protection;
  readonly local: LocalStream;
  /** Absent with a relay, which is connected to already. */
  readonly listener: MsrpListener | undefined;
  readonly place: RelayPlace | undefined;
  /** Whether the offer carries `msrp-cema`. */
  readonly cema: boolean;
  readonly key: OfferedKey | undefined;
  readonly certificate: DeviceCertificate | undefined;
  readonly purpose: StreamPurpose;
  /** Judges the level that an answer can give at best, before a connection is made for it. */
  readonly judge: (level: ProtectionLevel) => RefusalError | undefined;
}

/**
 * Invites `peer` to one MSRP stream with exactly this protection.
 * @throws RefusalError; nothing stays open then.
 */
export async function openOutgoing(
  context: SessionContext,
  peer: string,
  protection: Protection,
  judge: Attempt['judge'],
  purpose: StreamPurpose,
): Promise<EstablishedStream> {
  try {
    return await openOnce(context, peer, protection, judge, purpose, true);
  } catch (error) {
    if (!(error instanceof OfferAgain)) throw error;
    context.ports.log.log('info', 'session.cema-fallback', { protection });
    return openOnce(context, peer, protection, judge, purpose, false);
  }
}

/** RFC 6714 section 4.2: the answer leaves no way but an offer without `msrp-cema`, in a new dialog. */
class OfferAgain extends Error {}

async function openOnce(
  context: SessionContext,
  peer: string,
  protection: Protection,
  judge: Attempt['judge'],
  purpose: StreamPurpose,
  cema: boolean,
): Promise<EstablishedStream> {
  const { ports } = context;
  const key = protection === 'key-management' ? await context.keys.offer(peer) : undefined;
  const certificate = protection === 'requested' ? await context.certificate() : undefined;
  const place = protection === 'relay' ? await placeAt(context) : undefined;
  const listener = place === undefined ? await ports.msrp.listen(context.userAgent.flow?.localAddress) : undefined;
  const local =
    place === undefined
      ? localStream(listener?.address ?? nowhere, randomId(ports.random, 12), protection !== 'plain')
      : relayedStream(place.path);
  const attempt = { protection, local, listener, place, cema, key, certificate, judge, purpose };
  try {
    const { sip, stream } = await negotiate(context, peer, attempt);
    return await establish(context, sip, stream, local, listener, purpose);
  } catch (error) {
    place?.seat.close();
    throw error;
  } finally {
    listener?.close();
  }
}

const nowhere = { host: '0.0.0.0', port: 0 };

function placeAt({ relay }: SessionContext): Promise<RelayPlace> {
  if (relay === undefined) throw refuse('relay-unreachable', 'session', { happened: 'This account has no relay' });
  return relay.place();
}

async function negotiate(
  context: SessionContext,
  peer: string,
  attempt: Attempt,
): Promise<{ sip: SipSession; stream: NegotiatedStream }> {
  const { ports, userAgent } = context;
  let stream: NegotiatedStream | undefined;
  let failure: unknown;
  const negotiator: SdpNegotiator = {
    createOffer: () => Promise.resolve(offerOf(context, attempt)),
    // A rejection makes the SIP layer end the dialog with BYE (profile 3.2: failure found in the answer).
    acceptAnswer: async (sdp, flow) => {
      try {
        stream = await judgeAnswer(context, sdp, flow, attempt);
      } catch (error) {
        failure = error;
        throw error instanceof Error ? error : new Error(describeError(error));
      }
    },
    createAnswer: () => Promise.reject(new Error('this negotiator makes offers only')),
    close: () => undefined,
  };
  const outcome = await withDeadline(
    ports.clock,
    limits.inviteMilliseconds + 5_000,
    userAgent.invite({
      to: peer,
      negotiator,
      timeoutMilliseconds: limits.inviteMilliseconds,
      ...(attempt.purpose.related === undefined ? {} : { related: attempt.purpose.related }),
      ...(attempt.purpose.signal === undefined ? {} : { signal: attempt.purpose.signal }),
    }),
    () => refuse('timeout', 'session'),
    (late) => late.outcome === 'established' && void late.session.end('too late'),
  );
  if (failure !== undefined) {
    if (outcome.outcome === 'established') void outcome.session.end('answer not acceptable');
    throw negotiationRefusal(failure);
  }
  if (outcome.outcome !== 'established') throw inviteRefusal(outcome);
  if (stream === undefined) {
    void outcome.session.end('no answer');
    throw refuse('peer-incompatible', 'session', {
      happened: 'The other side took the call without an answer to the offer',
    });
  }
  return { sip: outcome.session, stream };
}

function offerOf({ ports }: SessionContext, { local, protection, certificate, key, purpose, cema }: Attempt): string {
  const security = {
    secure: protection !== 'plain',
    requested: protection === 'requested',
    ...(certificate === undefined ? {} : { fingerprint: { hash: 'sha-256', value: certificate.sha256 } }),
    ...(key === undefined ? {} : { keyManagement: key.message }),
  };
  return buildOffer(local, security, purpose, ports.random, cema);
}

async function judgeAnswer(
  context: SessionContext,
  sdp: string,
  flow: FlowFacts | undefined,
  attempt: Attempt,
): Promise<NegotiatedStream> {
  const remote = readRemoteStream(sdp);
  const sent = attempt.protection;
  const decision = decideStream(remote.facts, { sent, ...networkFacts(context, flow) });
  if (decision.mode === 'abort') throw refuse(decision.code, 'session', { happened: decision.happened });
  const problem = attempt.judge(decision.mode === 'psk' ? 'e2e' : decision.level);
  if (problem !== undefined) throw problem;
  attempt.purpose.checkAnswer?.(remote);
  const far = await farAddresses(remote.media, context.ports.msrp);
  if (decision.mode === 'psk') requireDirect(far);
  const role = roleForAnswer(remote.media);
  const connectTo = afterAnswer(far, { offered: attempt.cema, relayed: attempt.place !== undefined, role });
  if (connectTo === 'offer-again') throw new OfferAgain('the answer wants an offer without CEMA');
  return {
    role,
    remote,
    address: remoteAddress(remote.media, connectTo),
    security: securityOf(decision, remote, attempt),
  };
}

function securityOf(
  decision: Exclude<StreamDecision, { mode: 'abort' }>,
  remote: RemoteStream,
  { key, certificate, place }: Attempt,
): NegotiatedStream['security'] {
  if (decision.mode === 'relay' && place !== undefined) return relaySecurity(decision, place);
  if (decision.mode === 'plain') return { mode: 'plain' };
  if (decision.mode === 'fingerprint' && certificate !== undefined)
    return { mode: 'fingerprint', decision, certificate };
  if (decision.mode === 'psk' && key !== undefined && remote.media.keyMgmt !== undefined) {
    return { mode: 'psk', key: key.acceptResponse(remote.media.keyMgmt) };
  }
  throw refuse('peer-incompatible', 'session', {
    happened: 'The other side answered with a protection that was not offered',
  });
}

export function relaySecurity({ level }: { readonly level: ProtectionLevel }, place: RelayPlace): StreamSecurity {
  return { mode: 'relay', place, beyond: level === 'none' ? 'plain' : 'tls' };
}

/** The SIP dialog stands: connects, and ends the dialog when that fails. */
export async function establish(
  context: SessionContext,
  sip: SipSession,
  stream: NegotiatedStream,
  local: LocalStream,
  listener: MsrpListener | undefined,
  purpose: StreamPurpose,
): Promise<EstablishedStream> {
  const { ports } = context;
  const { security } = stream;
  const place = security.mode === 'relay' ? security.place : undefined;
  // A call that is over will not be connected any more.
  sip.onEnded(() => listener?.close());
  try {
    const opened = await openStream(ports, stream, listener);
    const channel = new MsrpChannel({
      connection: opened.connection,
      clock: ports.clock,
      random: ports.random,
      localPath: local.path,
      // RFC 4976 section 5.1: our relays, then what the far end named.
      remotePath: [...(place?.usePath ?? []), ...stream.remote.media.path],
      ...(security.mode === 'relay' || security.mode === 'peer-relay' ? { chunkOctets: limits.relayChunkOctets } : {}),
      active: stream.role === 'active',
      acceptTypes: purpose.acceptTypes,
      peerAcceptTypes: stream.remote.media.acceptTypes,
      peerMaxOctets: stream.remote.media.maxSize,
      ...purpose.channel,
    });
    if (place !== undefined) endWithPlace(ports, place, channel);
    const {
      acceptTypes: peerAcceptTypes,
      acceptWrappedTypes: peerAcceptWrappedTypes,
      maxSize: peerMaxSize,
    } = stream.remote.media;
    return { ...opened, sip, channel, peerAcceptTypes, peerAcceptWrappedTypes, peerMaxSize };
  } catch (error) {
    void sip.end(describeError(error)).catch(() => undefined);
    throw error;
  }
}

/** A session whose way through the relay ends is ended before it, so that nothing is sent into the void. */
function endWithPlace({ clock, log }: EnginePorts, place: RelayPlace, channel: MsrpChannel): void {
  place.onChanged(({ change, endsAt, error }) => {
    log.log('warn', 'relay.place-ends', { host: place.host, change, reason: describeError(error) });
    const cancel = clock.after(Math.max(0, endsAt - clock.now()), () => channel.close());
    channel.events.on('closed', cancel);
  });
}

function negotiationRefusal(error: unknown): unknown {
  return error instanceof ProtocolError ? unusableAnswer(error) : error;
}

function unusableAnswer(error: ProtocolError): RefusalError {
  return refuse('peer-incompatible', 'session', {
    happened: `The other side’s answer cannot be used (${error.message})`,
    cause: error,
  });
}

function inviteRefusal(outcome: Exclude<InviteOutcome, { outcome: 'established' }>): RefusalError {
  if (outcome.outcome === 'failed') {
    const { error } = outcome;
    if (error instanceof ProtocolError && error.kind !== 'local') return unusableAnswer(error);
    return refuse('connection-lost', 'session', { cause: error });
  }
  const { status, reason, warning } = outcome;
  const said = warning === undefined ? `${status} ${reason}` : `${status} ${reason}: ${warning}`;
  const cause = new AnswerCause({ status, reason });
  if (status === 408 || status === 504) return refuse('timeout', 'session', { cause });
  if (status === 488 || status === 606 || status === 415 || status === 406) {
    return refuse('peer-incompatible', 'session', {
      happened: `The other side cannot or will not have it this way (${said})`,
      cause: new ProtocolError('peer-incompatible', said, { field: 'sip.INVITE', hint: { sip: status } }),
    });
  }
  if (status === 404 || status === 410 || status === 480 || status === 604) {
    return refuse('peer-unreachable', 'session', { happened: `The other side could not be reached (${said})`, cause });
  }
  if (status === 503) {
    return refuse('connection-lost', 'session', { happened: `The network could not help (${said})`, cause });
  }
  return refuse('peer-refused', 'session', { happened: `The other side refused (${said})`, cause });
}

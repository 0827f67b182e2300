import { describeError, ProtocolError } from '../../base/errors.ts';
import type { ProtectionLevel } from '../../base/protection-level.ts';
import { randomId } from '../../base/random.ts';
import { MsrpChannel } from '../msrp/msrp-channel.ts';
import { withDeadline } from '../deadline.ts';
import { limits } from '../limits.ts';
import type { DeviceCertificate, MsrpListener } from '../ports.ts';
import { refuse, type RefusalError } from '../refusal.ts';
import type { InviteOutcome, SdpNegotiator, SipSession } from '../sip/index.ts';
import { networkFacts, type SessionContext } from './session-context.ts';
import { decideStream, type StreamDecision } from './session-decision.ts';
import type { OfferedKey } from './session-keys.ts';
import {
  buildOffer,
  localStream,
  readRemoteStream,
  remoteAddress,
  roleForAnswer,
  type LocalStream,
  type RemoteStream,
} from './stream-description.ts';
import type { StreamPurpose } from './stream-purpose.ts';
import { openStream, type NegotiatedStream, type OpenedStream } from './stream-media.ts';

/** What an offer asks for; `plain` only where the policy allows everything and the network has no more. */
export type Protection = 'key-management' | 'requested' | 'plain';

export interface EstablishedStream extends OpenedStream {
  readonly sip: SipSession;
  readonly channel: MsrpChannel;
  readonly peerAcceptTypes: readonly string[];
  /** Octets of the largest message that the far end takes; undefined where it named no bound. */
  readonly peerMaxSize: number | undefined;
}

interface Attempt {
  readonly protection: Protection;
  readonly local: LocalStream;
  readonly listener: MsrpListener;
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
  const { ports } = context;
  const key = protection === 'key-management' ? await context.keys.offer(peer) : undefined;
  const certificate = protection === 'requested' ? await context.certificate() : undefined;
  const listener = await ports.msrp.listen();
  const local = localStream(listener.address, randomId(ports.random, 12), protection !== 'plain');
  const attempt = { protection, local, listener, key, certificate, judge, purpose };
  try {
    const { sip, stream } = await negotiate(context, peer, attempt);
    return await establish(context, sip, stream, local, listener, purpose);
  } finally {
    listener.close();
  }
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
    acceptAnswer: (sdp) => {
      try {
        stream = judgeAnswer(context, sdp, attempt);
        return Promise.resolve();
      } catch (error) {
        failure = error;
        return Promise.reject(error instanceof Error ? error : new Error(describeError(error)));
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

function offerOf({ ports }: SessionContext, { local, protection, certificate, key, purpose }: Attempt): string {
  const security = {
    secure: protection !== 'plain',
    requested: protection === 'requested',
    ...(certificate === undefined ? {} : { fingerprint: { hash: 'sha-256', value: certificate.sha256 } }),
    ...(key === undefined ? {} : { keyManagement: key.message }),
  };
  return buildOffer(local, security, purpose, ports.random);
}

function judgeAnswer(context: SessionContext, sdp: string, attempt: Attempt): NegotiatedStream {
  const remote = readRemoteStream(sdp);
  const sent = attempt.protection;
  const decision = decideStream(remote.facts, { sent, ...networkFacts(context) });
  if (decision.mode === 'abort') throw refuse(decision.code, 'session', { happened: decision.happened });
  const problem = attempt.judge(decision.mode === 'psk' ? 'e2e' : decision.level);
  if (problem !== undefined) throw problem;
  attempt.purpose.checkAnswer?.(remote);
  return {
    role: roleForAnswer(remote.media),
    remote,
    address: remoteAddress(remote.media, decision.mode === 'psk'),
    security: securityOf(decision, remote, attempt),
  };
}

function securityOf(
  decision: Exclude<StreamDecision, { mode: 'abort' }>,
  remote: RemoteStream,
  { key, certificate }: Attempt,
): NegotiatedStream['security'] {
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

/** The SIP dialog stands: connects, and ends the dialog when that fails. */
export async function establish(
  context: SessionContext,
  sip: SipSession,
  stream: NegotiatedStream,
  local: LocalStream,
  listener: MsrpListener,
  purpose: StreamPurpose,
): Promise<EstablishedStream> {
  const { ports } = context;
  // A call that is over will not be connected any more.
  sip.onEnded(() => listener.close());
  try {
    const opened = await openStream(ports, stream, listener);
    const channel = new MsrpChannel({
      connection: opened.connection,
      clock: ports.clock,
      random: ports.random,
      localPath: [local.path],
      remotePath: stream.remote.media.path,
      active: stream.role === 'active',
      acceptTypes: purpose.acceptTypes,
      ...purpose.channel,
    });
    const { acceptTypes: peerAcceptTypes, maxSize: peerMaxSize } = stream.remote.media;
    return { ...opened, sip, channel, peerAcceptTypes, peerMaxSize };
  } catch (error) {
    void sip.end(describeError(error)).catch(() => undefined);
    throw error;
  }
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
  if (status === 408 || status === 504) return refuse('timeout', 'session');
  if (status === 488 || status === 606 || status === 415 || status === 406) {
    return refuse('peer-incompatible', 'session', {
      happened: `The other side cannot or will not have it this way (${said})`,
      cause: new ProtocolError('peer-incompatible', said, { field: 'sip.INVITE', hint: { sip: status } }),
    });
  }
  if (status === 404 || status === 410 || status === 480 || status === 604) {
    return refuse('peer-unreachable', 'session', { happened: `The other side could not be reached (${said})` });
  }
  if (status === 503) return refuse('connection-lost', 'session', { happened: `The network could not help (${said})` });
  return refuse('peer-refused', 'session', { happened: `The other side refused (${said})` });
}

import { Inviter, SessionState, type Core, type URI, type UserAgent } from 'sip.js';
import { describeError, ProtocolError } from '../../base/errors.ts';
import { randomId } from '../../base/random.ts';
import { warningText } from './answer-options.ts';
import { toUri } from './create-sipjs.ts';
import { encodeInviteBody } from './invite-body.ts';
import type { EstablishedSession } from './established-session.ts';
import { establish, type InviteContext } from './invite-context.ts';
import { MsrpSessionDescriptionHandler } from './msrp-session-description-handler.ts';
import { readReply } from './sip-reply.ts';
import type { InviteOutcome, OutgoingInvite, RelatedPart, SipReply } from './types.ts';
import { originalContentType } from './wire-translation.ts';

const defaultTimeoutMilliseconds = 60_000;

interface InviteTarget {
  readonly userAgent: UserAgent;
  readonly uri: URI;
  readonly callId: string;
}

/** Sends one INVITE and follows it to its end; never rejects. */
export async function sendInvite(
  context: InviteContext,
  userAgent: UserAgent,
  invite: OutgoingInvite,
): Promise<InviteOutcome> {
  try {
    const target = { userAgent, uri: toUri(invite.to, 'sip.to'), callId: randomId(context.ports.random, 16) };
    return await offerAndFollow(context, target, invite);
  } catch (error) {
    return failed(error);
  }
}

async function offerAndFollow(
  context: InviteContext,
  target: InviteTarget,
  invite: OutgoingInvite,
): Promise<InviteOutcome> {
  const { negotiator, signal, related = [] } = invite;
  let offer: string;
  try {
    offer = await negotiator.createOffer();
    signal?.throwIfAborted();
  } catch (error) {
    negotiator.close();
    return failed(error);
  }
  const { handler, extraHeaders } = described(context, negotiator, offer, related);
  const outcome = await follow(context, target, invite, handler, extraHeaders);
  if (outcome.outcome !== 'established') handler.close();
  return outcome;
}

/** The offer, alone or as the root of a multipart body. */
function described(
  { ports, facts }: InviteContext,
  negotiator: OutgoingInvite['negotiator'],
  offer: string,
  related: readonly RelatedPart[],
): { handler: MsrpSessionDescriptionHandler; extraHeaders: string[] } {
  if (related.length === 0) {
    return { handler: new MsrpSessionDescriptionHandler(negotiator, offer, { flow: facts }), extraHeaders: [] };
  }
  const { contentType, body } = encodeInviteBody(offer, related, ports.random);
  return {
    handler: new MsrpSessionDescriptionHandler(negotiator, offer, { firstBody: body, flow: facts }),
    extraHeaders: [`${originalContentType}: ${contentType}`],
  };
}

function follow(
  context: InviteContext,
  { userAgent, uri, callId }: InviteTarget,
  { to, timeoutMilliseconds = defaultTimeoutMilliseconds, signal }: OutgoingInvite,
  handler: MsrpSessionDescriptionHandler,
  extraHeaders: string[],
): Promise<InviteOutcome> {
  const { ports, handlers, pending } = context;
  const delegate = context.createDelegate();
  // SIP.js passes every parameter on, its type does not say so; its own Call-IDs come from Math.random.
  const params = { toDisplayName: '', callId };
  const inviter = new Inviter(userAgent, uri, { params, delegate, extraHeaders });
  handlers.set(inviter, handler);
  let established: EstablishedSession | undefined;
  return new Promise((resolve) => {
    const settle = (outcome: InviteOutcome): void => {
      cancelTimer();
      signal?.removeEventListener('abort', onAbort);
      pending.delete(onAbort);
      resolve(outcome);
    };
    const giveUp = (outcome: InviteOutcome): void => {
      settle(outcome);
      const isOpen = inviter.state === SessionState.Initial || inviter.state === SessionState.Establishing;
      if (isOpen) inviter.cancel().catch(() => undefined);
    };
    const onAbort = (): void => giveUp(failed(new Error('cancelled')));
    const cancelTimer = ports.clock.after(timeoutMilliseconds, () => giveUp(timedOut()));
    signal?.addEventListener('abort', onAbort);
    pending.add(onAbort);
    inviter.stateChange.addListener((state) => {
      if (state === SessionState.Established) {
        established = establish(context, inviter, to, delegate);
      }
      // SIP.js tells of a rejection only after this; the first to settle wins.
      if (state === SessionState.Terminated) queueMicrotask(() => settle(failed(handler.failure ?? noDescription())));
    });
    const onRefusal = ({ message }: Core.IncomingResponse): void => settle(refused(readReply(message)));
    // SIP.js shows the answer itself only after the session stands.
    const onAccept = ({ message }: Core.IncomingResponse): void => {
      if (established === undefined) return;
      const contact = readReply(message).headers.get('Contact');
      // RFC 3840 clause 9: a feature tag of the Contact, which stands outside of the URI.
      established.isFocus = /;\s*isfocus\s*(;|$|=)/i.test(contact?.replace(/<[^>]*>/g, '') ?? '');
      settle({ outcome: 'established', session: established });
    };
    const requestDelegate = { onAccept, onReject: onRefusal, onRedirect: onRefusal };
    inviter.invite({ requestDelegate }).catch((error: unknown) => settle(failed(error)));
  });
}

function refused({ status, reason, headers, body, local }: SipReply): InviteOutcome {
  if (local === 'connection-lost') return failed(new Error('the connection to the server broke'));
  const warning = warningText(headers.getAll('Warning'));
  const contentType = headers.get('Content-Type');
  return {
    outcome: 'rejected',
    status,
    reason,
    ...(warning === undefined ? {} : { warning }),
    ...(body.length === 0 || contentType === undefined ? {} : { contentType, body }),
  };
}

/** RFC 3261 clause 8.1.3.1: no answer counts as 408. */
function timedOut(): InviteOutcome {
  return { outcome: 'rejected', status: 408, reason: 'Request Timeout' };
}

function failed(error: unknown): InviteOutcome {
  return { outcome: 'failed', error: error instanceof Error ? error : new Error(describeError(error)) };
}

function noDescription(): ProtocolError {
  return new ProtocolError('peer-misbehaved', 'the session ended without a usable answer', { field: 'sip.answer' });
}

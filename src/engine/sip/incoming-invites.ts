import { SessionState, type Invitation } from 'sip.js';
import { fromUtf8 } from '../../base/bytes.ts';
import { describeError, ProtocolError } from '../../base/errors.ts';
import { parseSdp } from '../../protocol/sdp/index.ts';
import type { SipHeaders } from '../../protocol/sip/message.ts';
import { answerOptions, checkStatus, warningLine } from './answer-options.ts';
import { isEncoded, readParties } from './incoming-messages.ts';
import { readInviteBody } from './invite-body.ts';
import { establish, type InviteContext } from './invite-context.ts';
import { MsrpSessionDescriptionHandler } from './msrp-session-description-handler.ts';
import { readReceived } from './sip-reply.ts';
import type { FlowFacts, IncomingInvite, RejectAnswer, RelatedPart, SdpNegotiator, SipSession } from './types.ts';
import { isMultipart, isSdp } from './wire-translation.ts';

/** Invitations that may wait for an answer; more are answered 486. */
const maxPending = 16;
/** RFC 5547 section 8.8: multipart/related MUST be implemented. */
const acceptedBodies = 'application/sdp, multipart/related, multipart/mixed';

/** Checks the offers of INVITE requests and hands them to the application. */
export class IncomingInvites {
  readonly #context: InviteContext;
  readonly #deliver: (invite: IncomingInvite) => void;
  readonly #pending = new Set<PendingInvite>();

  constructor(context: InviteContext, deliver: (invite: IncomingInvite) => void) {
    this.#context = context;
    this.#deliver = deliver;
  }

  receive(invitation: Invitation, onRegisteredFlow: boolean): void {
    const { headers, body } = readReceived(invitation.request);
    const invite = new PendingInvite(this.#context, invitation, headers, onRegisteredFlow);
    if (this.#pending.size >= maxPending) {
      invite.reject(486, { warning: 'too many invitations' });
    } else if (isEncoded(headers)) {
      invite.reject(415, { headers: { 'Accept-Encoding': 'identity' } });
    } else if (body.length === 0) {
      invite.reject(488, { warning: 'an offer is needed in the INVITE' });
    } else if (![isSdp, isMultipart].some((isTaken) => isTaken(headers.get('Content-Type') ?? ''))) {
      invite.reject(415, { headers: { Accept: acceptedBodies } });
    } else if (invite.readOffer(headers.get('Content-Type') ?? '', body)) {
      this.#pending.add(invite);
      invite.onOver(() => this.#pending.delete(invite));
      this.#deliver(invite);
    }
  }

  /** Nobody will answer any more. */
  stop(): void {
    for (const invite of this.#pending) invite.reject(480);
  }
}

class PendingInvite implements IncomingInvite {
  readonly from: string;
  readonly to: string;
  readonly assertedIdentity?: string;
  readonly onRegisteredFlow: boolean;
  readonly flow: FlowFacts | undefined;
  offer = '';
  related: readonly RelatedPart[] = [];
  #receivedBody: Uint8Array | undefined;
  readonly #context: InviteContext;
  readonly #invitation: Invitation;
  readonly #headers: SipHeaders;
  #isAnswered = false;
  #isCancelled = false;
  #cancelListener: (() => void) | undefined;
  #overListener: () => void = () => undefined;

  constructor(context: InviteContext, invitation: Invitation, headers: SipHeaders, onRegisteredFlow: boolean) {
    this.#context = context;
    this.#invitation = invitation;
    this.#headers = headers;
    this.onRegisteredFlow = onRegisteredFlow;
    this.flow = context.facts();
    const { from, to, assertedIdentity } = readParties(headers, onRegisteredFlow);
    this.from = from;
    this.to = to;
    if (assertedIdentity !== undefined) this.assertedIdentity = assertedIdentity;
    invitation.stateChange.addListener((state) => {
      if (state !== SessionState.Terminated && state !== SessionState.Established) return;
      this.#overListener();
      if (state === SessionState.Terminated) this.#cancelled();
    });
  }

  header(name: string): string | undefined {
    return this.#headers.get(name);
  }

  onCancelled(listener: () => void): void {
    if (this.#isCancelled) listener();
    else this.#cancelListener = listener;
  }

  onOver(listener: () => void): void {
    this.#overListener = listener;
  }

  /** @returns false when the offer is malformed: the caller has its answer then. */
  readOffer(contentType: string, body: Uint8Array): boolean {
    try {
      const { sdp, related } = readInviteBody(contentType, body);
      parseSdp(sdp);
      this.offer = fromUtf8(sdp, 'sdp');
      this.related = related;
      if (sdp !== body) this.#receivedBody = body;
      return true;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#context.ports.log.log('warn', 'sip.offer-malformed', { reason: error.message });
      const status = error.hint.sip ?? 400;
      const headers = status === 415 ? { headers: { Accept: acceptedBodies } } : {};
      this.reject(status, { warning: error.message, ...headers });
      return false;
    }
  }

  async accept(negotiator: SdpNegotiator): Promise<SipSession> {
    const invitation = this.#invitation;
    if (this.#isAnswered || invitation.state !== SessionState.Initial) throw over();
    this.#isAnswered = true;
    const answer = await this.#createAnswer(negotiator);
    const handler = new MsrpSessionDescriptionHandler(negotiator, answer, {
      remote: this.offer,
      ...(this.#receivedBody === undefined ? {} : { receivedBody: this.#receivedBody }),
    });
    const delegate = this.#context.createDelegate();
    try {
      if (this.#isTerminated()) throw over();
      this.#context.handlers.set(invitation, handler);
      invitation.delegate = delegate;
      await invitation.accept();
      if (this.#isTerminated()) throw over();
    } catch (error) {
      handler.close();
      throw error;
    }
    return establish(this.#context, invitation, this.from, delegate);
  }

  reject(status: number, answer: RejectAnswer = {}): void {
    checkStatus(status, [[400, 699]]);
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    this.#sendRejection(status, answer);
  }

  async #createAnswer(negotiator: SdpNegotiator): Promise<string> {
    try {
      return await negotiator.createAnswer(this.offer);
    } catch (error) {
      const status = error instanceof ProtocolError ? (error.hint.sip ?? 488) : 488;
      // What went wrong inside us is nobody's business; a ProtocolError speaks about the caller's input.
      const warning = error instanceof ProtocolError ? error.message : 'the offer cannot be answered';
      this.#sendRejection(status, { warning });
      negotiator.close();
      throw error;
    }
  }

  #sendRejection(status: number, answer: RejectAnswer): void {
    const warnings = answer.warning === undefined ? [] : [warningLine(answer.warning)];
    const { body, ...options } = answerOptions(status, answer, warnings);
    const legacyBody = body === undefined ? {} : { body: { body: body.content, contentType: body.contentType } };
    this.#invitation.reject({ ...options, ...legacyBody }).catch((error: unknown) => {
      this.#context.ports.log.log('info', 'sip.invite-over', { reason: describeError(error) });
    });
  }

  #isTerminated(): boolean {
    return this.#invitation.state === SessionState.Terminated;
  }

  #cancelled(): void {
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    this.#isCancelled = true;
    this.#cancelListener?.();
  }
}

function over(): ProtocolError {
  return new ProtocolError('expired', 'the invitation is over', { field: 'sip.INVITE', hint: { sip: 487 } });
}

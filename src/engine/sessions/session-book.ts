import { ProtocolError } from '../../base/errors.ts';
import { isAtLeast, type Policy } from '../../base/protection-level.ts';
import { randomId } from '../../base/random.ts';
import type { SessionView } from '../chat-message.ts';
import { limits } from '../limits.ts';
import { acceptsIncoming, aimOf, judgeSending, type ContactPolicies } from '../policy.ts';
import { asRefusalError, refuse, type Refusal, type RefusalError } from '../refusal.ts';
import type { IncomingInvite } from '../sip/index.ts';
import type { ImdnPayload } from '../../protocol/imdn/index.ts';
import { MessageSession, type SessionHabits } from './message-session.ts';
import { chatPurpose } from './chat-purpose.ts';
import type { SessionText } from './session-content.ts';
import type { AwaitedDisplay } from './session-receipts.ts';
import { judgeLevel, openUnderPolicy } from './protection-choice.ts';
import { answerInvite, judgeInvite, tooManySessions } from './session-answerer.ts';
import type { SessionContext } from './session-context.ts';
import { openOutgoing, type EstablishedStream, type Protection } from './session-opener.ts';
import type { RemoteStream } from './stream-description.ts';

export type SessionChange =
  | { readonly change: 'opened'; readonly session: SessionView }
  | { readonly change: 'closed'; readonly session: SessionView; readonly reason: string };

export interface SessionBookOptions {
  readonly context: SessionContext;
  readonly policies: ContactPolicies;
  readonly onChange: (change: SessionChange) => void;
  /** An invitation was refused. */
  readonly onRefused: (peer: string, problem: Refusal) => void;
  /** Our own address. */
  readonly self: string;
  readonly habits: SessionHabits;
  readonly onText: (session: SessionView, text: SessionText) => void;
  readonly onReceipt: (session: SessionView, receipt: ImdnPayload) => void;
  readonly onComposing: (session: SessionView, isWriting: boolean) => void;
}

/** The open sessions of one account: finds one that satisfies a policy or opens it, and answers invitations. */
export class SessionBook {
  readonly #options: SessionBookOptions;
  readonly #sessions = new Map<string, MessageSession>();
  readonly #opening = new Map<string, Promise<MessageSession>>();
  #answering = 0;
  #stopped = false;

  constructor(options: SessionBookOptions) {
    this.#options = options;
  }

  views(): SessionView[] {
    return [...this.#sessions.values()].map(({ view }) => view);
  }

  /**
   * A session to `peer` in which a message may be sent under `policy`.
   * @throws RefusalError. After `consent-required` a session of the offered level may already stand, for when the user agrees.
   */
  async sessionFor(peer: string, policy: Policy): Promise<MessageSession> {
    const open = this.#find(peer, policy);
    if (open !== undefined) return open;
    const { context, policies } = this.#options;
    return openUnderPolicy(context, policies, peer, policy, (protection, judged) =>
      this.#open(peer, protection, judged),
    );
  }

  /** Whether a session may carry a message now; the level was proven when it was opened, the policy may have changed. */
  requireSatisfied(session: MessageSession, policy: Policy): void {
    const { policies } = this.#options;
    const { peer, level } = session.view;
    const verdict = judgeSending(policy, level, policies.agreedLevel(peer));
    if (verdict === 'satisfied') return;
    if (verdict === 'not-met') throw refuse('policy-not-met', 'message', { reached: level, required: policy });
    policies.noteOffer(peer, level);
    throw refuse('consent-required', 'message', { offered: level, reached: level, required: policy });
  }

  /** @param remote the stream of the invitation's offer. */
  async answer(invite: IncomingInvite, peer: string, remote: RemoteStream): Promise<void> {
    const { context, policies, onRefused } = this.#options;
    if (this.#stopped || this.#sessions.size + this.#answering >= limits.sessionsPerAccount) {
      invite.reject(486);
      onRefused(peer, tooManySessions());
      return;
    }
    this.#answering += 1;
    try {
      const judged = judgeInvite(context, invite, peer, remote, policies.policyFor(peer));
      this.#add(peer, 'in', await answerInvite(context, judged, chatPurpose(context.ports)));
    } catch (error) {
      const refused = asRefusalError(error, 'peer-incompatible');
      const problem = refused.refusal('invitation');
      context.ports.log.log('warn', 'session.refused', { code: problem.code, reason: reasonOf(refused) });
      // Does nothing unless something went wrong before there was an answer.
      invite.reject(500);
      onRefused(peer, problem);
    } finally {
      this.#answering -= 1;
    }
  }

  /**
   * The user writes to `peer`, or has taken away what was written. Told in a session that stands and satisfies `policy`;
   * none is opened for it. False when the peer is not told.
   */
  composing(peer: string, policy: Policy, isWriting: boolean): boolean {
    return this.#find(peer, policy)?.composing(isWriting) ?? false;
  }

  /** In the session that brought the text or, when it has ended, in one that protects as well; none is opened for it. */
  tellDisplayed({ peer, sessionId, level, messageId }: AwaitedDisplay): boolean {
    const session =
      this.#sessions.get(sessionId) ??
      [...this.#sessions.values()].find(({ view }) => view.peer === peer && isAtLeast(view.level, level));
    return session?.tellDisplayed(messageId) ?? false;
  }

  /** The policy for `peer` changed: what it does not allow ends. */
  enforcePolicy(peer: string): void {
    for (const session of this.#sessions.values()) {
      if (session.view.peer === peer && !this.#isAllowed(session.view)) void session.close('the policy changed');
    }
  }

  /** False when there is no such session. */
  async close(id: string): Promise<boolean> {
    const session = this.#sessions.get(id);
    await session?.close('closed here');
    return session !== undefined;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all([...this.#sessions.values()].map((session) => session.close('account stopped')));
  }

  /** With an aim below e2e, a session end to end is left alone: what was asked for is what is shown. */
  #find(peer: string, policy: Policy): MessageSession | undefined {
    const agreed = this.#options.policies.agreedLevel(peer);
    const usable = [...this.#sessions.values()].filter(
      ({ view, closed }) => !closed && view.peer === peer && judgeSending(policy, view.level, agreed) === 'satisfied',
    );
    if (aimOf(policy) === 'e2e') return usable.find(({ view }) => view.level === 'e2e') ?? usable[0];
    return usable.find(({ view }) => view.level !== 'e2e');
  }

  /** Callers that want the same session at the same time share one invitation. */
  #open(peer: string, protection: Protection, policy: Policy): Promise<MessageSession> {
    if (this.#stopped) throw refuse('not-registered', 'session');
    const key = `${protection} ${policy} ${peer}`;
    const pending = this.#opening.get(key);
    if (pending !== undefined) return pending;
    const { context } = this.#options;
    const purpose = chatPurpose(context.ports);
    const opening = openOutgoing(context, peer, protection, (level) => judgeLevel(policy, level), purpose)
      .then((stream) => this.#add(peer, 'out', stream))
      .finally(() => this.#opening.delete(key));
    this.#opening.set(key, opening);
    return opening;
  }

  #add(peer: string, direction: 'in' | 'out', stream: EstablishedStream): MessageSession {
    const { context, policies, onChange, onText, onReceipt, onComposing, self, habits } = this.#options;
    const { ports } = context;
    const view: SessionView = {
      id: randomId(ports.random),
      peer,
      direction,
      level: stream.level,
      evidence: stream.evidence,
      openedAt: ports.clock.now(),
    };
    const session = new MessageSession({
      ports,
      view,
      sip: stream.sip,
      channel: stream.channel,
      self,
      habits,
      peerAcceptTypes: stream.peerAcceptTypes,
      peerAcceptWrappedTypes: stream.peerAcceptWrappedTypes,
      onText: (text) => onText(view, text),
      onReceipt: (receipt) => onReceipt(view, receipt),
      onComposing: (isWriting) => onComposing(view, isWriting),
      onClosed: (reason) => {
        if (!this.#sessions.delete(view.id)) return;
        ports.log.log('info', 'session.closed', { session: view.id, reason });
        onChange({ change: 'closed', session: view, reason });
      },
    });
    // The connection may be gone already: the other side closes at once when its own checks fail.
    if (session.closed) throw refuse('connection-lost', 'session');
    // The policy may have changed while the session was set up; what we opened was judged by the policy of its request.
    if (direction === 'in' && !this.#isAllowed(view)) {
      void session.close('the policy changed');
      throw refuse('policy-not-met', 'session', { reached: view.level, required: policies.policyFor(peer) });
    }
    this.#sessions.set(view.id, session);
    ports.log.log('info', 'session.opened', { session: view.id, protection: view.level, direction });
    onChange({ change: 'opened', session: view });
    if (this.#stopped) void session.close('account stopped');
    return session;
  }

  #isAllowed({ peer, level }: SessionView): boolean {
    return acceptsIncoming(this.#options.policies.policyFor(peer), level);
  }
}

/** What the bytes were like says more than what it means. */
function reasonOf(refused: RefusalError): string {
  return refused.cause instanceof ProtocolError ? refused.cause.message : refused.happened;
}

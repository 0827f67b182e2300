import { ProtocolError } from '../../base/errors.ts';
import { isAtLeast, type Policy, type ProtectionLevel } from '../../base/protection-level.ts';
import { randomId } from '../../base/random.ts';
import type { SessionView } from '../chat-message.ts';
import { limits } from '../limits.ts';
import { acceptsIncoming, aimOf, judgeSending, type ContactPolicies } from '../policy.ts';
import { asRefusalError, refuse, RefusalError, type Refusal } from '../refusal.ts';
import type { IncomingInvite } from '../sip/index.ts';
import type { ReceivedMessage } from '../../protocol/msrp/index.ts';
import type { ImdnPayload } from '../../protocol/imdn/index.ts';
import type { TextToSend } from '../text-content.ts';
import type { SessionHabits } from './message-session.ts';
import { chatPurpose } from './chat-purpose.ts';
import type { SessionText } from './session-content.ts';
import type { AwaitedDisplay } from './session-receipts.ts';
import { judgeLevel, openUnderPolicy } from './protection-choice.ts';
import { LiveSession } from './live-session.ts';
import { SessionRecoveries } from './session-recoveries.ts';
import { UnsettledMessage } from './unsettled-message.ts';
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
  /** Resolves when it is kept for good. */
  readonly onText: (session: SessionView, text: SessionText, source: ReceivedMessage) => Promise<void>;
  readonly onReceipt: (session: SessionView, receipt: ImdnPayload) => void;
  readonly onComposing: (session: SessionView, isWriting: boolean) => void;
}

/** Of a session that breaks while it is being set up. */
const openingTries = 3;

/** The open sessions of one account: finds one that satisfies a policy or opens it, and answers invitations. */
export class SessionBook {
  readonly #options: SessionBookOptions;
  readonly #sessions = new Map<string, LiveSession>();
  readonly #opening = new Map<string, Promise<LiveSession>>();
  readonly #recoveries: SessionRecoveries;
  /** Messages for which a session is being found, by policy and peer. */
  readonly #lanes = new Map<string, UnsettledMessage[]>();
  readonly #unsettled = new Set<UnsettledMessage>();
  /** Contacts whose invitations are being answered. */
  readonly #answering: string[] = [];
  #stopped = false;

  constructor(options: SessionBookOptions) {
    this.#options = options;
    const { context } = options;
    this.#recoveries = new SessionRecoveries({
      context,
      isAnswering: (peer) => this.#answering.includes(peer),
      open: (peer, protection, judge) => this.#openWith(peer, protection, judge),
      successorOf: (view) => this.#successorOf(view),
    });
    context.userAgent.events.on('registration', ({ state }) => {
      if (state === 'registered') this.#registered();
    });
  }

  views(): SessionView[] {
    return this.#live.map(({ view }) => view);
  }

  /**
   * A session to `peer` in which a message may be sent under `policy`.
   * @param isWanted asked before one is opened.
   * @throws RefusalError. After `consent-required` a session of the offered level may already stand, for when the user agrees.
   */
  async sessionFor(peer: string, policy: Policy, isWanted = (): boolean => true): Promise<LiveSession> {
    const open = this.#find(peer, policy);
    if (open !== undefined) return open;
    const { context, policies } = this.#options;
    const agreed = policies.agreedLevel(peer);
    // What is written while a session is being set up again follows what it still has to send.
    await this.#recoveries.over(({ peer: who, level }) => {
      return who === peer && judgeSending(policy, level, agreed) === 'satisfied';
    });
    const recovered = this.#find(peer, policy);
    if (recovered !== undefined) return recovered;
    if (!isWanted()) throw refuse('connection-lost', 'session', { happened: 'The session is not wanted any more' });
    return openUnderPolicy(context, policies, peer, policy, (protection, judged) =>
      this.#open(peer, protection, judged),
    );
  }

  /** Hands the waiting messages to a session one after the other; what keeps the first from it keeps all of them. */
  async #route(peer: string, policy: Policy, lane: UnsettledMessage[]): Promise<void> {
    for (let failures = 0; lane.length > 0;) {
      try {
        const isWanted = (): boolean => lane.some(({ isSettled }) => !isSettled);
        const found = await this.sessionFor(peer, policy, isWanted);
        this.#requireSatisfied(found, policy);
        // Meanwhile it may have been lost, or there may be a newer one that everything goes to.
        const session = this.#find(peer, policy) ?? found;
        if (!session.closed) for (const message of lane.splice(0)) session.send(message);
        failures = 0;
      } catch (error) {
        failures += 1;
        const brokeAtOnce = error instanceof RefusalError && error.code === 'connection-lost';
        const isWanted = lane.some(({ isSettled }) => !isSettled);
        if (brokeAtOnce && isWanted && failures < openingTries && !this.#stopped) continue;
        for (const message of lane.splice(0)) message.fail(error);
      }
    }
  }

  /** Whether a session may carry a message now; the level was proven when it was opened, the policy may have changed. */
  #requireSatisfied({ view }: { readonly view: SessionView }, policy: Policy): void {
    const { policies } = this.#options;
    const { peer, level } = view;
    const verdict = judgeSending(policy, level, policies.agreedLevel(peer));
    if (verdict === 'satisfied') return;
    if (verdict === 'not-met') throw refuse('policy-not-met', 'message', { reached: level, required: policy });
    policies.noteOffer(peer, level);
    throw refuse('consent-required', 'message', { offered: level, reached: level, required: policy });
  }

  /**
   * Sends a text in a session that satisfies `policy`, or in the one that takes its place when that is lost; after all
   * texts that were given here for this peer under this policy before.
   * @param floor no session below it carries the text
   * @returns the weakest session that carried it. @throws RefusalError as `sessionFor`, or what became of the message.
   */
  async send(peer: string, message: TextToSend, policy: Policy, floor: ProtectionLevel = 'none'): Promise<SessionView> {
    if (this.#unsettled.size >= limits.unsettledMessages) {
      throw refuse('connection-lost', 'message', { happened: 'Too many messages wait to be confirmed' });
    }
    const unsettled = new UnsettledMessage(this.#options.context.ports.clock, peer, message, policy, floor);
    this.#unsettled.add(unsettled);
    const key = `${policy} ${peer}`;
    const lane = this.#lanes.get(key) ?? [];
    lane.push(unsettled);
    if (!this.#lanes.has(key)) {
      this.#lanes.set(key, lane);
      void this.#route(peer, policy, lane).finally(() => this.#lanes.delete(key));
    }
    return await unsettled.result.finally(() => this.#unsettled.delete(unsettled));
  }

  /** @param remote the stream of the invitation's offer. */
  async answer(invite: IncomingInvite, peer: string, remote: RemoteStream): Promise<void> {
    const { context, policies, onRefused } = this.#options;
    if (this.#stopped || this.#sessions.size + this.#answering.length >= limits.sessionsPerAccount) {
      invite.reject(486);
      onRefused(peer, tooManySessions());
      return;
    }
    this.#answering.push(peer);
    try {
      const judged = judgeInvite(context, invite, peer, remote, policies.policyFor(peer));
      const purpose = chatPurpose(context.ports);
      purpose.checkAnswer?.(remote);
      this.#add(peer, 'in', await answerInvite(context, judged, purpose));
    } catch (error) {
      const refused = asRefusalError(error, 'peer-incompatible');
      const problem = refused.refusal('invitation');
      context.ports.log.log('warn', 'session.refused', { code: problem.code, reason: reasonOf(refused) });
      // Does nothing unless something went wrong before there was an answer.
      invite.reject(refused.code === 'peer-incompatible' ? 488 : 500);
      onRefused(peer, problem);
    } finally {
      this.#answering.splice(this.#answering.indexOf(peer), 1);
    }
  }

  /**
   * The user writes to `peer`, or has taken away what was written. Told in a session that stands and satisfies `policy`;
   * none is opened for it. False when the peer is not told.
   */
  composing(peer: string, policy: Policy, isWriting: boolean): boolean {
    return this.#find(peer, policy)?.composing(isWriting) ?? false;
  }

  /** A text of `peer` came by another way: it is not writing that one any more. */
  textArrived(peer: string): void {
    for (const session of this.#live) if (session.view.peer === peer) session.textArrived();
  }

  /** In the session that brought the text or, when it has ended, in one that protects as well; none is opened for it. */
  tellDisplayed({ peer, sessionId, level, messageId }: AwaitedDisplay): boolean {
    const own = this.#live.find(({ view }) => view.id === sessionId);
    const session = own ?? this.#live.findLast(({ view }) => view.peer === peer && isAtLeast(view.level, level));
    return session?.tellDisplayed(messageId) ?? false;
  }

  /** The policy for `peer` changed: what it does not allow ends. */
  enforcePolicy(peer: string): void {
    for (const session of this.#live) {
      if (session.view.peer === peer && !this.#isAllowed(session.view)) void session.close('the policy changed');
    }
    const required = this.#options.policies.policyFor(peer);
    const changed = refuse('policy-not-met', 'message', { happened: 'The policy for this contact changed', required });
    // What waits was written under another policy.
    for (const message of this.#unsettled) {
      if (message.peer === peer && !message.isBegun && message.policy !== required) message.fail(changed);
    }
    this.#recoveries.giveUp((lost) => lost.peer === peer && !this.#isAllowed(lost), changed);
  }

  /** False when there is no such session. */
  async close(id: string): Promise<boolean> {
    const session = this.#sessions.get(id);
    await session?.close('closed here');
    const closedHere = refuse('connection-lost', 'message', { happened: 'The session was closed here' });
    return this.#recoveries.giveUp((lost) => lost.id === id, closedHere) || session !== undefined;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    const stopped = refuse('connection-lost', 'message', { happened: 'The account was stopped' });
    this.#recoveries.giveUp(() => true, stopped);
    await Promise.all([...this.#sessions.values()].map((session) => session.close('account stopped')));
  }

  get #live(): readonly LiveSession[] {
    return [...this.#sessions.values()].filter(({ closed }) => !closed);
  }

  /** Recoveries go on; sessions whose connection began at an address that we no longer have cannot live. */
  #registered(): void {
    const { localAddress } = this.#options.context.userAgent.flow ?? {};
    for (const session of this.#live) session.followAddress(localAddress);
    this.#recoveries.wake();
  }

  /** For what a lost session left: the newest session to the same peer that protects no less. */
  #successorOf({ peer, level }: SessionView): LiveSession | undefined {
    return this.#live.findLast(({ view }) => view.peer === peer && isAtLeast(view.level, level));
  }

  /** With an aim below e2e, a session end to end is left alone: what was asked for is what is shown. */
  #find(peer: string, policy: Policy): LiveSession | undefined {
    const agreed = this.#options.policies.agreedLevel(peer);
    const usable = this.#live.filter(
      ({ view }) => view.peer === peer && judgeSending(policy, view.level, agreed) === 'satisfied',
    );
    // The newest: beside it, an older one is likelier to be dead without our knowing.
    if (aimOf(policy) === 'e2e') return usable.findLast(({ view }) => view.level === 'e2e') ?? usable.at(-1);
    return usable.findLast(({ view }) => view.level !== 'e2e');
  }

  /** Callers that want the same session at the same time share one invitation. */
  #open(peer: string, protection: Protection, policy: Policy): Promise<LiveSession> {
    if (this.#stopped) throw refuse('not-registered', 'session');
    const key = `${protection} ${policy} ${peer}`;
    const pending = this.#opening.get(key);
    if (pending !== undefined) return pending;
    const opening = this.#openWith(peer, protection, (level) => judgeLevel(policy, level)).finally(() =>
      this.#opening.delete(key),
    );
    this.#opening.set(key, opening);
    return opening;
  }

  async #openWith(
    peer: string,
    protection: Protection,
    judge: (level: ProtectionLevel) => RefusalError | undefined,
  ): Promise<LiveSession> {
    const { context } = this.#options;
    return this.#add(peer, 'out', await openOutgoing(context, peer, protection, judge, chatPurpose(context.ports)));
  }

  #add(peer: string, direction: 'in' | 'out', stream: EstablishedStream): LiveSession {
    const { context, policies, onChange, onText, onReceipt, onComposing, self, habits } = this.#options;
    const { ports, userAgent } = context;
    const view: SessionView = {
      id: randomId(ports.random),
      peer,
      direction,
      level: stream.level,
      evidence: stream.evidence,
      openedAt: ports.clock.now(),
    };
    const session = new LiveSession({
      ports,
      view,
      stream,
      self,
      habits,
      localAddress: userAgent.flow?.localAddress,
      judge: (message) => this.#judgeCarrying(view, message),
      onText: (text, source) => onText(view, text, source),
      onReceipt: (receipt) => onReceipt(view, receipt),
      onComposing: (isWriting) => onComposing(view, isWriting),
      onClosed: (reason, end, unsettled) => {
        if (!this.#sessions.has(view.id)) {
          for (const message of unsettled) message.lose('connection-lost', reason);
          return;
        }
        ports.log.log('info', 'session.closed', { session: view.id, reason, end });
        onChange({ change: 'closed', session: view, reason });
        if (end === 'here' || this.#stopped || !this.#isAllowed(view)) {
          for (const message of unsettled) message.lose('connection-lost', `The session has ended (${reason})`);
          return;
        }
        this.#recoveries.begin({ lost: view, end, messages: unsettled, hasEndedThere: () => session.hasEndedThere });
      },
      onEnded: () => this.#sessions.delete(view.id),
    });
    // The connection may be gone already: the other side closes at once when its own checks fail.
    if (session.closed) {
      void session.close('closed before it began');
      throw refuse('connection-lost', 'session');
    }
    // The policy may have changed while the session was set up; what we opened was judged by the policy of its request.
    if (direction === 'in' && !this.#isAllowed(view)) {
      void session.close('the policy changed');
      throw refuse('policy-not-met', 'session', { reached: view.level, required: policies.policyFor(peer) });
    }
    this.#sessions.set(view.id, session);
    ports.log.log('info', 'session.opened', { session: view.id, protection: view.level, direction });
    onChange({ change: 'opened', session: view });
    if (this.#stopped) {
      void session.close('account stopped');
      return session;
    }
    this.#supersede(session);
    this.#recoveries.recovered(session);
    return session;
  }

  /** A peer that invites us again may have lost the session that still stands here: what is not settled goes on here. */
  #supersede(newer: LiveSession): void {
    const { peer, level, direction } = newer.view;
    for (const session of this.#live) {
      if (session === newer || session.view.peer !== peer || session.view.level !== level) continue;
      session.handOver(newer);
      if (direction === 'in') session.probe();
    }
  }

  /** A message that was written for a session goes in another only if that would have been right from the start. */
  #judgeCarrying(view: SessionView, { policy, floor }: UnsettledMessage): RefusalError | undefined {
    const { policies } = this.#options;
    const isAgreed = judgeSending(policy, view.level, policies.agreedLevel(view.peer)) === 'satisfied';
    if (isAgreed && isAtLeast(view.level, floor)) return undefined;
    return refuse('policy-not-met', 'message', { reached: view.level, required: policy });
  }

  #isAllowed({ peer, level }: SessionView): boolean {
    return acceptsIncoming(this.#options.policies.policyFor(peer), level);
  }
}

/** What the bytes were like says more than what it means. */
function reasonOf(refused: RefusalError): string {
  return refused.cause instanceof ProtocolError ? refused.cause.message : refused.happened;
}

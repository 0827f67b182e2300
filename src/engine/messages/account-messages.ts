import { utf8 } from '../../base/bytes.ts';
import type { Events } from '../../base/events.ts';
import type { Policy } from '../../base/protection-level.ts';
import { randomId } from '../../base/random.ts';
import { tryKmsUserIdentity } from '../../protocol/sip/identities.ts';
import type { AccountEvents } from '../account-types.ts';
import type { ChatMessage, ConversationView, MessageWay, SendOutcome, SessionView } from '../chat-message.ts';
import { Conversations, type MessagePatch } from '../conversations.ts';
import type { FileTransfers } from '../files/file-transfers.ts';
import { limits } from '../limits.ts';
import { aimOf, type ContactPolicies } from '../policy.ts';
import type { EnginePorts } from '../ports.ts';
import { asRefusalError, refusal, refuse, RefusalError, type Refusal } from '../refusal.ts';
import type { SessionBook } from '../sessions/session-book.ts';
import type { SessionText } from '../sessions/session-content.ts';
import { AwaitedDisplays, SentReceipts } from '../sessions/session-receipts.ts';
import type { IncomingMessage, SipUserAgent } from '../sip/index.ts';
import type { TicketService } from '../tickets/ticket-service.ts';
import { MessageReceiver, type Arrival } from './message-receiver.ts';
import { MessageSender } from './message-sender.ts';
import { WaitingMessages, type WaitingMessage, type WaitingOutcome } from './waiting-messages.ts';

export interface AccountMessagesOptions {
  readonly ports: EnginePorts;
  /** KMS user identity of the account. */
  readonly self: string;
  readonly userAgent: SipUserAgent;
  readonly policies: ContactPolicies;
  readonly tickets: TicketService;
  readonly events: Events<AccountEvents>;
  /** What else an account sends with; made after this. */
  readonly sessions: () => SessionBook;
  readonly files: () => FileTransfers;
}

/** A text to one peer, judged and in its turn. */
export interface TextToPeer {
  readonly peer: string;
  readonly text: string;
  readonly way: MessageWay;
  readonly policy: Policy;
  /** Counts the sends of the account, in the order in which they were asked for. */
  readonly sequence: number;
}

/** The messages of one account, both ways and by both ways of sending: what was said, what waits, and what became of it. */
export class AccountMessages {
  /** What the peers' devices say of messages that went in sessions. */
  readonly receipts: SentReceipts;
  readonly #options: AccountMessagesOptions;
  readonly #conversations = new Conversations();
  readonly #sender: MessageSender;
  readonly #receiver: MessageReceiver;
  readonly #waiting: WaitingMessages;
  readonly #awaitedDisplays = new AwaitedDisplays();

  constructor(options: AccountMessagesOptions) {
    this.#options = options;
    const { ports, self, userAgent, policies, tickets, events } = options;
    const shared = { ports, userAgent, tickets, self };
    this.#sender = new MessageSender({ ...shared, policies });
    this.#waiting = new WaitingMessages((message) => this.#deliverWaiting(message));
    this.#receiver = new MessageReceiver({
      ...shared,
      policyFor: (peer) => policies.policyFor(peer),
      onArrival: (arrival) => this.#keepArrival('message', arrival).id,
      onLateArrival: (id, arrival) => this.#lateArrival(id, arrival),
      onRefused: (peer, problem) => events.emit('incomingRefused', { way: 'message', peer, refusal: problem }),
    });
    this.receipts = new SentReceipts({
      log: ports.log,
      find: (id) => this.#conversations.get(id),
      change: (id, state) => this.#change(id, { state }),
    });
  }

  /** @throws RefusalError */
  async send(message: TextToPeer): Promise<SendOutcome> {
    const { peer, text, way, policy } = message;
    const octets = utf8(text);
    if (way === 'msrp' && octets.length > limits.sessionTextOctets - limits.sessionEnvelopeOctets) {
      if (octets.length > limits.longTextOctets) throw refuse('too-large');
      const { ports, files } = this.#options;
      return { outcome: 'offered', file: files().sendText(peer, octets, ports.clock.now(), policy) };
    }
    const sent = await (way === 'message' ? this.#sendImmediate(message) : this.#sendInSession(message));
    this.#conversations.add(sent);
    this.#options.events.emit('messageState', sent);
    this.receipts.finish(sent.id);
    return { outcome: sent.state === 'queued' ? 'waiting' : 'sent', message: sent };
  }

  receive(message: IncomingMessage): void {
    this.#receiver.receive(message);
  }

  /** A text that came in a session. */
  keepSessionText(session: SessionView, { text, from, messageId, subject, sentAt, wants }: SessionText): void {
    const { peer, evidence } = session;
    // A CPIM From that names somebody else makes the sender doubtful, whatever protects the session.
    const honest = from === undefined || tryKmsUserIdentity(from) === peer;
    const level = honest || session.level === 'none' ? session.level : 'unverified';
    const claims = { ...(subject === undefined ? {} : { subject }), ...(sentAt === undefined ? {} : { sentAt }) };
    const { id } = this.#keepArrival('msrp', { peer, text, level, evidence }, claims);
    if (messageId === undefined || !wants.display) return;
    this.#awaitedDisplays.add({ id, peer, sessionId: session.id, level: session.level, messageId });
  }

  /** Tells the senders of what the user has now seen, up to the message `upTo`, where they asked for it. */
  markDisplayed(peer: string, upTo: string): void {
    const messages = this.#conversations.of(peer);
    const seen = messages.slice(0, messages.findIndex(({ id }) => id === upTo) + 1).map(({ id }) => id);
    for (const display of this.#awaitedDisplays.take(peer, seen)) this.#options.sessions().tellDisplayed(display);
  }

  /** Takes back a message that waits. False when there is none of this id, or it is on its way. */
  cancel(id: string): boolean {
    if (!this.#waiting.cancel(id)) return false;
    const cancelled = this.#conversations.remove(id);
    if (cancelled !== undefined) this.#options.events.emit('messageCancelled', cancelled);
    return true;
  }

  /** What keeps waiting messages may be over. */
  release(): void {
    this.#waiting.release();
  }

  giveUpWaiting(problem: Refusal): void {
    for (const { id } of this.#waiting.clear()) this.#change(id, { state: 'refused', problem });
  }

  conversations(): readonly ConversationView[] {
    return this.#conversations.peers().map((peer) => ({
      peer,
      policy: this.#options.policies.policyFor(peer),
      messages: this.#conversations.of(peer),
    }));
  }

  /** The refusal that an error of sending carries; what it carries not is told to the log. */
  refusalFor(error: unknown, meaning: 'message' | 'session'): Refusal {
    const known = asRefusalError(error, 'connection-lost');
    if (known !== error) {
      this.#options.ports.log.log('error', 'account.unexpected', { reason: known.happened });
      return refusal('connection-lost', meaning === 'message' ? 'uncertain' : 'session', known.details);
    }
    return known.meaning === 'uncertain' ? known.refusal() : known.refusal(meaning);
  }

  stop(): void {
    this.#receiver.stop();
  }

  async #sendImmediate({ peer, text, policy, sequence }: TextToPeer): Promise<ChatMessage> {
    const { clock, random } = this.#options.ports;
    const written = { peer, text, at: clock.now(), way: 'message' } as const;
    try {
      this.#requireTurn(peer, policy);
      const { messageId, level, evidence } = await this.#sender.send(peer, text, policy);
      return this.#outgoing({ ...written, id: messageId, level, evidence, state: 'accepted' });
    } catch (error) {
      if (!(error instanceof RefusalError) || error.code !== 'kms-unreachable' || !this.#waiting.hasRoom) throw error;
      const id = randomId(random, 12);
      this.#waiting.add({ id, peer, text, sequence });
      const problem = error.refusal('waiting');
      return { ...this.#outgoing({ ...written, id, level: 'none', state: 'queued' }), problem };
    }
  }

  /** A message that must be end-to-end does not overtake those that wait for the same. */
  #requireTurn(peer: string, policy: Policy): void {
    const { policies, tickets } = this.#options;
    const needsKey = aimOf(policy) === 'e2e' && (policy === 'require-e2e' || policies.agreedLevel(peer) === undefined);
    if (!needsKey || !this.#waiting.hasAny(peer)) return;
    const { nextAttempt } = tickets.state;
    const offer = policy === 'prefer-e2e' ? { offered: this.#sender.offerLess(peer), required: policy } : {};
    throw refuse('kms-unreachable', 'message', {
      happened: 'Earlier messages to this contact wait for the key management server',
      ...offer,
      ...(nextAttempt === undefined ? {} : { nextAttempt }),
    });
  }

  /** End to end or not at all, whatever the policy allows meanwhile. */
  async #deliverWaiting({ id, peer, text }: WaitingMessage): Promise<WaitingOutcome> {
    if (this.#options.userAgent.registration.state !== 'registered') return 'waiting';
    try {
      const { level, evidence } = await this.#sender.sendEndToEnd(peer, text, id);
      this.#change(id, { level, evidence, state: 'accepted', problem: undefined });
    } catch (error) {
      const problem = this.refusalFor(error, 'message');
      if (problem.code === 'kms-unreachable') return 'waiting';
      this.#change(id, { state: problem.uncertain === true ? 'failed' : 'refused', problem });
    }
    return 'done';
  }

  async #sendInSession({ peer, text, policy }: TextToPeer): Promise<ChatMessage> {
    const { ports, self, sessions } = this.#options;
    const at = ports.clock.now();
    const messageId = randomId(ports.random, 12);
    this.receipts.begin(messageId);
    try {
      const message = { from: self, to: peer, at, messageId, text };
      const { level, evidence } = await sessions().send(peer, message, policy);
      return this.#outgoing({ id: messageId, peer, text, at, way: 'msrp', level, evidence, state: 'delivered' });
    } catch (error) {
      this.receipts.abandon(messageId);
      throw error;
    }
  }

  #outgoing({
    peer,
    ...rest
  }: Pick<ChatMessage, 'id' | 'text' | 'at' | 'way' | 'level' | 'evidence' | 'state'> & { peer: string }): ChatMessage {
    return { ...rest, conversation: peer, direction: 'out', from: this.#options.self, to: peer };
  }

  #keepArrival(
    way: MessageWay,
    { peer, text, level, evidence, problem }: Arrival,
    claims: Pick<ChatMessage, 'subject' | 'sentAt'> = {},
  ): ChatMessage {
    const { ports, self, events } = this.#options;
    const message: ChatMessage = {
      id: randomId(ports.random, 12),
      conversation: peer,
      direction: 'in',
      from: peer,
      to: self,
      text,
      ...claims,
      at: ports.clock.now(),
      way,
      level,
      evidence,
      state: problem === undefined ? 'received' : 'undecryptable',
      ...(problem === undefined ? {} : { problem }),
    };
    this.#conversations.add(message);
    events.emit('messageReceived', message);
    return message;
  }

  #lateArrival(id: string, { text, level, evidence, problem }: Arrival): void {
    const state = problem === undefined ? 'received' : 'undecryptable';
    this.#change(id, { text, level, evidence, state, problem });
  }

  #change(id: string, patch: MessagePatch): void {
    const changed = this.#conversations.change(id, patch);
    if (changed !== undefined) this.#options.events.emit('messageState', changed);
  }
}

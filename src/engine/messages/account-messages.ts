import { utf8 } from '../../base/bytes.ts';
import { describeError } from '../../base/errors.ts';
import type { Events } from '../../base/events.ts';
import type { Policy } from '../../base/protection-level.ts';
import { randomId } from '../../base/random.ts';
import type { ReceivedMessage } from '../../protocol/msrp/index.ts';
import { profile } from '../../protocol/profile.ts';
import type { AccountConfig, ReceiptsConfig } from '../account-config.ts';
import type { AccountEvents, SendToGroupRequest } from '../account-types.ts';
import type {
  ChatMessage,
  ConversationView,
  MessageWay,
  RecipientState,
  SendOutcome,
  SessionView,
} from '../chat-message.ts';
import type { FileTransfers } from '../files/file-transfers.ts';
import { groupRecipients, type Groups } from '../groups/group.ts';
import { limits } from '../limits.ts';
import { Outbox } from '../outbox/outbox.ts';
import type { ContactPolicies } from '../contact-policies.ts';
import { aimOf, strictest } from '../policy.ts';
import type { EnginePorts } from '../ports.ts';
import { asRefusalError, refusal, refuse, type Refusal } from '../refusal.ts';
import type { SessionBook } from '../sessions/session-book.ts';
import { SessionCarrier } from '../sessions/session-carrier.ts';
import type { SessionText } from '../sessions/session-content.ts';
import { SentReceipts } from '../sessions/session-receipts.ts';
import type { IncomingMessage, SipUserAgent } from '../sip/index.ts';
import type { AccountStore, Store } from '../store/index.ts';
import type { TicketService } from '../tickets/ticket-service.ts';
import { AccountHistory } from './account-history.ts';
import { Arrivals } from './arrivals.ts';
import { ImmediateMessages } from './immediate-messages.ts';
import { MessageCarrier, noListService } from './message-carrier.ts';
import { keepRefusal } from './kept-refusals.ts';
import { SessionTexts } from './session-texts.ts';
import { raisePromises } from './raise-promises.ts';

export interface AccountMessagesOptions {
  readonly ports: EnginePorts;
  readonly config: AccountConfig;
  readonly store: Store;
  /** KMS user identity of the account. */
  readonly self: string;
  readonly userAgent: SipUserAgent;
  readonly policies: ContactPolicies;
  readonly tickets: TicketService;
  readonly events: Events<AccountEvents>;
  /** How long a message is tried. */
  readonly lifetimeHours: number;
  /** `settling`: a registration is under way, whose outcome is awaited. */
  readonly registration: () => 'registered' | 'settling' | 'none';
  readonly isContact: (peer: string) => boolean;
  /** What the address book says of receipts of this contact. */
  readonly receiptsOf?: ((peer: string) => ReceiptsConfig | undefined) | undefined;
  /** What else an account sends with; made after this. */
  readonly sessions: () => SessionBook;
  readonly files: () => FileTransfers;
}

/** A text to one peer, judged. */
export interface TextOrder {
  readonly peer: string;
  readonly text: string;
  readonly way: MessageWay;
  readonly policy: Policy;
}

/** The messages of one account, both ways and by both ways of sending: what was said, what waits, and what became of it. */
export class AccountMessages {
  /** What the peers' devices say of messages that went in sessions. */
  readonly receipts: SentReceipts;
  readonly history: AccountHistory;
  readonly outbox: Outbox;
  readonly #options: AccountMessagesOptions;
  readonly #account: AccountStore;
  readonly #arrivals: Arrivals;
  readonly immediate: ImmediateMessages;
  readonly #sessionTexts: SessionTexts;

  constructor(options: AccountMessagesOptions) {
    this.#options = options;
    const { ports, store, config, self, userAgent, policies, tickets, events } = options;
    const accountId = config.id;
    const account = store.account(accountId);
    this.#account = account;
    const onChanged = (message: ChatMessage): void => events.emit('messageState', message);
    this.#arrivals = new Arrivals({
      ports,
      store: account,
      self,
      onReceived: (message) =>
        events.emit(message.fromOtherDevice === true ? 'messageState' : 'messageReceived', message),
      onChanged,
    });
    this.immediate = new ImmediateMessages({
      ports,
      config,
      self,
      userAgent,
      tickets,
      policies,
      store: account,
      arrivals: this.#arrivals,
      isContact: options.isContact,
      receiptsOf: options.receiptsOf,
      onChanged,
      onRemoved: (message) => events.emit('messageCancelled', message),
      onRefused: (peer, problem) => this.keepRefused('message', peer, problem),
      onComposing: (peer, isWriting) => events.emit('composing', { peer, isWriting }),
      onText: (peer) => options.sessions().textArrived(peer),
      advance: (id, state, problem) => this.outbox.told(id, state, problem),
    });
    this.#sessionTexts = new SessionTexts({
      clock: ports.clock,
      policies,
      arrivals: this.#arrivals,
      onKept: (peer) => this.immediate.textArrived(peer),
      onRefused: (peer, problem) => this.keepRefused('msrp', peer, problem),
      tellDisplayed: (display) => options.sessions().tellDisplayed(display),
    });
    this.receipts = new SentReceipts({
      log: ports.log,
      find: (id) => account.messages.get(id),
      change: (id, state) => {
        if (state === 'delivered' || state === 'displayed') this.outbox.told(id, state);
      },
    });
    const session = new SessionCarrier({ self, policies, sessions: options.sessions, receipts: this.receipts });
    const { sender, groups } = this.immediate;
    const carriers = {
      message: new MessageCarrier({
        self,
        sender,
        groups,
        listService: config.messages?.listService,
        session,
        onTooLarge: (id) => account.messages.change(id, { way: 'msrp' }),
      }),
      msrp: session,
    };
    this.outbox = new Outbox({
      clock: ports.clock,
      random: ports.random,
      log: ports.log,
      store: account,
      carriers,
      registration: options.registration,
      lifetimeMilliseconds: options.lifetimeHours * 3_600_000,
      onChange: (message) => onChanged(this.#withRecipients(message)),
    });
    this.history = new AccountHistory({
      accountId,
      store,
      account,
      giveUp: (id) => this.outbox.cancel(id)?.message,
    });
  }

  /**
   * Resolves when the first attempt is over or it is clear that the message waits.
   * @throws RefusalError when it could not even be kept
   */
  async send({ peer, text, way: wanted, policy }: TextOrder): Promise<SendOutcome> {
    const { ports, files } = this.#options;
    const octets = utf8(text);
    const way = wanted === 'message' && octets.length > this.#roomForText(policy) ? 'msrp' : wanted;
    if (way === 'msrp' && octets.length > limits.sessionTextOctets - limits.sessionEnvelopeOctets) {
      if (octets.length > limits.longTextOctets) throw refuse('too-large');
      if (this.#options.registration() !== 'registered') throw refuse('not-registered');
      return { outcome: 'offered', file: files().sendText(peer, octets, ports.clock.now(), policy) };
    }
    const id = randomId(ports.random, 12);
    return this.#send({ ...this.#written({ peer, text, way, policy }), id }, policy);
  }

  /**
   * Tries what waits at once. A message that failed or was refused is taken up again, as a new attempt at the same message: it takes
   * its place at the end of the conversation, and a device that has it already shows no second one.
   * @returns undefined when there is nothing of this id to be tried
   */
  async retry(id: string): Promise<ChatMessage | undefined> {
    if (this.outbox.retry(id)) return this.history.get(id);
    const message = this.history.get(id);
    if (message?.direction !== 'out' || message.fromOtherDevice === true) return undefined;
    if (message.state !== 'failed' && message.state !== 'refused') return undefined;
    const { conversation: peer, text, way } = message;
    const policy = this.#policyFor(peer);
    const removed = this.history.remove(id);
    if (removed !== undefined) this.#options.events.emit('messageCancelled', removed);
    const recipients = message.recipients?.map(({ address }) => ({ address, state: 'queued' }) as const);
    const again = {
      ...this.#written({ peer, text, way, policy }),
      id,
      ...(recipients === undefined ? {} : { recipients }),
    };
    const outcome = await this.#send(again, policy).catch((error: unknown) => {
      this.#putBack(message);
      throw error;
    });
    return outcome.outcome === 'offered' ? undefined : (outcome.message ?? again);
  }

  /**
   * To several at once, by the network's list service; they see each other. Resolves as `send`.
   * @throws RefusalError
   */
  async sendToGroup({ recipients, text, policy, consent }: SendToGroupRequest): Promise<SendOutcome> {
    const { ports, self, config, policies } = this.#options;
    if (config.messages?.listService === undefined) throw noListService();
    const others = groupRecipients(recipients, self);
    const peer = this.immediate.groups.remember([...others, self]);
    const demanded = policy ?? this.#policyFor(peer);
    if (utf8(text).length > this.#roomForText(demanded)) throw refuse('too-large');
    if (consent === true) policies.consent(peer);
    const id = randomId(ports.random, 12);
    const states = others.map((address) => ({ address, state: 'queued' }) as const);
    const message = { ...this.#written({ peer, text, way: 'message', policy: demanded }), id, recipients: states };
    return this.#send(message, demanded);
  }

  /** @throws RefusalError without a list service, or for those who are no group */
  startGroup(recipients: readonly string[]): string {
    const { self, config } = this.#options;
    if (config.messages?.listService === undefined) throw noListService();
    return this.immediate.groups.remember([...groupRecipients(recipients, self), self]);
  }

  /** A policy for a contact was set: what waits for it, or for a group that it is in, promises no less from now on. */
  raise(peer: string): void {
    const { policies, self } = this.#options;
    const { groups } = this.immediate;
    raisePromises(peer, { outbox: this.outbox, groups, policies, self });
  }

  /** The registration is there, or keys can be had again: takes up what waits. */
  resume(): void {
    this.immediate.resume();
  }

  receive(message: IncomingMessage): void {
    this.immediate.receive(message);
  }

  /** As `SessionTexts.keep`. */
  keepSessionText(session: SessionView, content: SessionText, source: ReceivedMessage): Promise<void> {
    return this.#sessionTexts.keep(session, content, source);
  }

  /** Something came in and was dropped: a copy leaves no trace, all else is shown in its conversation. */
  keepRefused(way: MessageWay, peer: string, problem: Refusal): void {
    const { events } = this.#options;
    const { ports, self } = this.#options;
    const { messages } = this.#account;
    const message =
      problem.code === 'replayed' ? undefined : keepRefusal({ ports, self, messages }, way, peer, problem);
    events.emit('incomingRefused', { way, peer, refusal: problem, ...(message === undefined ? {} : { message }) });
  }

  /** Tells the senders of what the user has now seen, up to the message `upTo`, where they asked for it. */
  markDisplayed(peer: string, upTo: string): void {
    if (this.history.get(upTo)?.conversation !== peer) return;
    const { messages } = this.history.page(peer, limits.messagesPerPage, upTo);
    const seen = [...messages.map(({ id }) => id), upTo];
    this.immediate.displayed(seen);
    this.#sessionTexts.displayed(peer, seen);
  }

  /** Takes back a message that has not left. False when there is none of this id, or it has. */
  cancel(id: string): boolean {
    const cancelled = this.outbox.cancel(id);
    if (cancelled?.outcome === 'taken-back') this.#options.events.emit('messageCancelled', cancelled.message);
    return cancelled !== undefined;
  }

  /** The newest messages of each conversation. */
  conversations(): readonly ConversationView[] {
    return this.history.conversations().map(({ peer }) => ({
      peer,
      policy: this.#policyFor(peer),
      messages: this.history.page(peer).messages,
      ...membersOf(this.immediate.groups, peer),
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
    this.immediate.stop();
    this.outbox.stop();
  }

  async #send(message: ChatMessage, policy: Policy): Promise<SendOutcome> {
    const { policies } = this.#options;
    this.immediate.textSent(message.conversation);
    const kept = await this.outbox.accept(message, policy, policies.agreedLevel(message.conversation));
    const latest = this.history.get(kept.id) ?? kept;
    if (latest.state === 'failed' || latest.state === 'refused') {
      return {
        outcome: 'refused',
        refusal: latest.problem ?? refusal('connection-lost', 'uncertain'),
        message: latest,
      };
    }
    const waits = latest.state === 'queued' || latest.state === 'sent';
    return { outcome: waits ? 'waiting' : 'sent', message: latest };
  }

  /** It could not be taken up again: what the user wrote stays there. */
  #putBack(message: ChatMessage): void {
    const { ports, events } = this.#options;
    if (this.history.get(message.id) !== undefined) return;
    try {
      this.#account.messages.add(message);
      events.emit('messageState', message);
    } catch (error) {
      ports.log.log('error', 'message.not-put-back', { reason: describeError(error) });
    }
  }

  #written({ peer, text, way }: TextOrder): Omit<ChatMessage, 'id'> {
    const { ports, self } = this.#options;
    return {
      conversation: peer,
      direction: 'out',
      from: self,
      to: peer,
      text,
      at: ports.clock.now(),
      way,
      level: 'none',
      state: 'queued',
    };
  }

  /** Of a group the strictest of its members'. */
  #policyFor(conversation: string): Policy {
    const { policies, self } = this.#options;
    const members = this.immediate.groups.membersOf(conversation)?.filter((member) => member !== self);
    return members === undefined
      ? policies.policyFor(conversation)
      : strictest(members.map((member) => policies.policyFor(member)));
  }

  /** What a text may have, so that with everything around it the message is no larger than it may be. */
  #roomForText(policy: Policy): number {
    const { maxOctets = profile.message.maxOctets } = this.#options.config.messages ?? {};
    const around = aimOf(policy) === 'e2e' ? limits.sealedEnvelopeOctets : limits.plainEnvelopeOctets;
    return Math.max(0, maxOctets - around);
  }

  /** What happens to a message to several as a whole happens to each who has not spoken for himself. */
  #withRecipients(message: ChatMessage): ChatMessage {
    const { id, state, recipients } = message;
    const isWaiting = (one: RecipientState): boolean => one.state === 'queued' || one.state === 'sent';
    if (recipients?.some((one) => isWaiting(one) && one.state !== state) !== true) return message;
    const followed = recipients.map((one) => (isWaiting(one) ? { ...one, state } : one));
    return this.#account.messages.change(id, { recipients: followed }) ?? message;
  }
}

function membersOf(groups: Groups, conversation: string): Pick<ConversationView, 'members'> {
  const members = groups.membersOf(conversation);
  return members === undefined ? {} : { members };
}

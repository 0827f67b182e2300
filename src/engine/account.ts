import { Events } from '../base/events.ts';
import { utf8 } from '../base/bytes.ts';
import { randomId } from '../base/random.ts';
import type { Policy } from '../base/protection-level.ts';
import { profile } from '../protocol/profile.ts';
import { tryKmsUserIdentity } from '../protocol/sip/identities.ts';
import type { AkaCard } from './bootstrapping/bootstrap-method.ts';
import type { AccountConfig, AccountSecrets } from './account-config.ts';
import type {
  ChatMessage,
  ConversationView,
  MessageWay,
  OpenSessionOutcome,
  SendOutcome,
  SessionView,
} from './chat-message.ts';
import type {
  AccountEvents,
  AccountStatus,
  ComposingRequest,
  OpenSessionRequest,
  SendFileOutcome,
  SendFileRequest,
  SendRequest,
} from './account-types.ts';
import { Conversations, type MessagePatch } from './conversations.ts';
import { withDeadline } from './deadline.ts';
import { readIcon } from './files/file-icon.ts';
import { FileTransfers } from './files/file-transfers.ts';
import { limits } from './limits.ts';
import { createRelayClient, type RelayClient } from './msrp/relay-client.ts';
import { MessageReceiver, type Arrival } from './messages/message-receiver.ts';
import { MessageSender } from './messages/message-sender.ts';
import { WaitingMessages, type WaitingMessage, type WaitingOutcome } from './messages/waiting-messages.ts';
import { aimOf, ContactPolicies } from './policy.ts';
import type { DeviceCertificate, EnginePorts, TicketStorage } from './ports.ts';
import { asRefusalError, refusal, refuse, RefusalError, type Refusal } from './refusal.ts';
import { routeInvite, type InviteTakers } from './sessions/route-invite.ts';
import { Rooms } from './rooms/rooms.ts';
import { SessionBook } from './sessions/session-book.ts';
import type { SessionText } from './sessions/session-content.ts';
import { AwaitedDisplays, SentReceipts } from './sessions/session-receipts.ts';
import type { SessionContext } from './sessions/session-context.ts';
import { SessionKeys } from './sessions/session-keys.ts';
import type { RegistrationState, SipUserAgent } from './sip/index.ts';
import { createKmsCredential, type KmsCredential } from './tickets/kms-credential.ts';
import type { KmsState } from './tickets/kms-state.ts';
import { credentialBinding } from './tickets/credential-binding.ts';
import { TicketPrefetch } from './tickets/ticket-prefetch.ts';
import { TicketArchive } from './tickets/ticket-archive.ts';
import { TicketService } from './tickets/ticket-service.ts';

export type {
  AccountEvents,
  AccountStatus,
  ComposingRequest,
  IncomingRefusal,
  OpenSessionRequest,
  SendFileOutcome,
  SendFileRequest,
  SendRequest,
} from './account-types.ts';

export interface AccountParts {
  readonly ports: EnginePorts;
  readonly config: AccountConfig;
  readonly secrets: AccountSecrets;
  readonly userAgent: SipUserAgent;
  readonly certificate: () => Promise<DeviceCertificate>;
  /** Where the account has one. */
  readonly sim?: AkaCard | undefined;
  /** Key tickets live in memory only when absent. */
  readonly ticketStorage?: TicketStorage | undefined;
}

/** One identity at one operator: registers, sends and receives under its policies, and keeps its conversations. */
export class Account {
  readonly config: AccountConfig;
  readonly events: Events<AccountEvents>;
  /** Files under way and done, and what the user may do with them; `sendFile` begins one. */
  readonly files: FileTransfers;
  /** Chat rooms that the account is in. */
  readonly rooms: Rooms;
  readonly #ports: EnginePorts;
  readonly #self: string;
  readonly #userAgent: SipUserAgent;
  readonly #policies: ContactPolicies;
  readonly #conversations = new Conversations();
  readonly #credential: KmsCredential | undefined;
  readonly #archive: TicketArchive;
  readonly #tickets: TicketService;
  readonly #prefetch: TicketPrefetch;
  readonly #sender: MessageSender;
  readonly #waiting: WaitingMessages;
  readonly #receiver: MessageReceiver;
  readonly #sessions: SessionBook;
  readonly #receipts: SentReceipts;
  readonly #awaitedDisplays = new AwaitedDisplays();
  readonly #relay: RelayClient | undefined;
  #registering: Promise<RegistrationState> | undefined;
  #sends = 0;

  constructor({ ports, config, secrets, userAgent, certificate, sim, ticketStorage }: AccountParts) {
    this.config = config;
    this.#ports = ports;
    this.#userAgent = userAgent;
    this.events = new Events((error) => ports.log.log('error', 'account.listener-failed', { reason: String(error) }));
    this.#self = tryKmsUserIdentity(config.identity) ?? config.identity;
    this.#policies = new ContactPolicies(config.policy);
    for (const [contact, policy] of Object.entries(config.contactPolicies ?? {})) {
      this.#policies.setPolicy(tryKmsUserIdentity(contact) ?? contact, policy);
    }
    const { kms, privateIdentity, domain } = config;
    this.#credential =
      kms === undefined ? undefined : createKmsCredential(kms, secrets, { ports, privateIdentity, domain, sim });
    const storage = ticketStorage ?? { kept: 'memory', reason: 'No place for key tickets is configured' };
    this.#archive = new TicketArchive({ ports, storage, binding: credentialBinding(config, secrets) });
    this.#tickets = new TicketService({
      ports,
      self: this.#self,
      kms,
      credential: this.#credential,
      archive: this.#archive,
    });
    this.#prefetch = new TicketPrefetch(ports, this.#tickets);
    for (const contact of this.#policies.contactsWith('require-e2e')) this.#prefetch.want(contact);
    const shared = { ports, userAgent, tickets: this.#tickets, self: this.#self };
    this.#sender = new MessageSender({ ...shared, policies: this.#policies });
    this.#waiting = new WaitingMessages((message) => this.#deliverWaiting(message));
    this.#receiver = new MessageReceiver({
      ...shared,
      policyFor: (peer) => this.#policies.policyFor(peer),
      onArrival: (arrival) => this.#keepArrival('message', arrival).id,
      onLateArrival: (id, arrival) => this.#lateArrival(id, arrival),
      onRefused: (peer, problem) => this.events.emit('incomingRefused', { way: 'message', peer, refusal: problem }),
    });
    this.#relay = createRelayClient(ports, config, secrets);
    const context: SessionContext = {
      ports,
      ...(this.#relay === undefined ? {} : { relay: this.#relay }),
      ...relayTrust(config),
      userAgent,
      keys: new SessionKeys(ports, this.#tickets),
      certificate,
      inferFromRegistration: config.e2aeInferFromRegistration ?? profile.accountDefaults.e2aeInferFromRegistration,
    };
    const onRefused = (peer: string, problem: Refusal): void =>
      this.events.emit('incomingRefused', { way: 'msrp', peer, refusal: problem });
    this.#receipts = new SentReceipts({
      log: ports.log,
      find: (id) => this.#conversations.get(id),
      change: (id, state) => this.#changeMessage(id, { state }),
    });
    this.#sessions = new SessionBook({
      context,
      policies: this.#policies,
      self: this.#self,
      habits: {
        tellDelivery: config.receipts?.delivery ?? true,
        tellDisplay: config.receipts?.display ?? true,
        tellComposing: config.composing ?? true,
      },
      onReceipt: (session, receipt) => this.#receipts.told(session, receipt),
      onComposing: ({ peer }, isWriting) => this.events.emit('composing', { peer, isWriting }),
      onChange: (change) => this.events.emit('session', change),
      onRefused,
      onText: (session, text) => this.#keepSessionText(session, text),
    });
    this.files = new FileTransfers({
      context,
      policies: this.#policies,
      self: this.#self,
      storage: ports.files,
      config: config.files ?? {},
      isContact: (peer) => this.#policies.isKnown(peer),
      onChange: (view) => this.events.emit('file', view),
      onRefused,
    });
    this.rooms = new Rooms({
      context,
      policies: this.#policies,
      self: this.#self,
      ready: () => this.#requireRegistered(),
      onChange: (view) => this.events.emit('room', view),
      onMessage: (message) => this.events.emit('roomMessage', message),
    });
    this.#listen(context, onRefused);
  }

  /** Resolves with the outcome, also when it is a failure; the registration is kept alive until `unregister`. */
  register(): Promise<RegistrationState> {
    this.#registering ??= this.#userAgent.register().finally(() => (this.#registering = undefined));
    return this.#registering;
  }

  /** Signs out: what waits is not sent, and no key ticket stays. */
  async unregister(): Promise<RegistrationState> {
    this.#giveUpWaiting(refusal('not-registered'));
    await this.dropTickets();
    return this.#userAgent.unregister();
  }

  /** No key ticket stays, neither in memory nor at rest. */
  dropTickets(): Promise<void> {
    this.#prefetch.stop();
    return this.#tickets.signOut();
  }

  /** Asks a key management server that is away or refused at once, instead of at the next attempt. Resolves with what came of it. */
  retryKms(): Promise<KmsState> {
    return this.#tickets.retry();
  }

  /** Takes back a message that waits. False when there is none of this id, or it is on its way. */
  cancelMessage(id: string): boolean {
    if (!this.#waiting.cancel(id)) return false;
    const cancelled = this.#conversations.remove(id);
    if (cancelled !== undefined) this.events.emit('messageCancelled', cancelled);
    return true;
  }

  /** Never rejects: what could not be sent is a refusal that says why. */
  async sendMessage({ to, text, way, policy, consent }: SendRequest): Promise<SendOutcome> {
    const sequence = this.#sends++;
    try {
      const peer = await this.#prepare(to, consent);
      const demanded = policy ?? this.#policies.policyFor(peer);
      const octets = utf8(text);
      if (way === 'msrp' && octets.length > limits.sessionTextOctets - limits.sessionEnvelopeOctets) {
        if (octets.length > limits.longTextOctets) throw refuse('too-large');
        const file = this.files.sendText(peer, octets, this.#ports.clock.now(), demanded);
        return { outcome: 'offered', file };
      }
      const message = await (way === 'message'
        ? this.#sendImmediate(peer, text, demanded, sequence)
        : this.#sendInSession(peer, text, demanded));
      this.#conversations.add(message);
      this.events.emit('messageState', message);
      this.#receipts.finish(message.id);
      return { outcome: message.state === 'waiting' ? 'waiting' : 'sent', message };
    } catch (error) {
      return { outcome: 'refused', refusal: this.#refusalFor(error, 'message') };
    }
  }

  /** The user writes, or writes no more. False when the peer is not told: there is no session, or the account does not tell. */
  composing({ to, isWriting }: ComposingRequest): boolean {
    const peer = tryKmsUserIdentity(to);
    return peer !== undefined && this.#sessions.composing(peer, this.#policies.policyFor(peer), isWriting);
  }

  /**
   * The user has seen the conversation with `peer` up to the message `upTo`: senders who asked are told, where the account
   * allows and a session stands.
   */
  markDisplayed(peer: string, upTo: string): void {
    const messages = this.#conversations.of(peer);
    const seen = messages.slice(0, messages.findIndex(({ id }) => id === upTo) + 1);
    for (const display of this.#awaitedDisplays.take(
      peer,
      seen.map(({ id }) => id),
    )) {
      this.#sessions.tellDisplayed(display);
    }
  }

  async openSession({ to, policy, consent }: OpenSessionRequest): Promise<OpenSessionOutcome> {
    try {
      const peer = await this.#prepare(to, consent);
      const session = await this.#sessions.sessionFor(peer, policy ?? this.#policies.policyFor(peer));
      return { outcome: 'opened', session: session.view };
    } catch (error) {
      return { outcome: 'refused', refusal: this.#refusalFor(error, 'session') };
    }
  }

  /** Offers a file; what becomes of it is told by the event `file`. Never rejects. */
  async sendFile({ to, path, policy, consent, icon }: SendFileRequest): Promise<SendFileOutcome> {
    try {
      const peer = await this.#prepare(to, consent);
      const picture = icon === undefined ? undefined : readIcon(icon);
      const file = await this.files.send(peer, path, policy ?? this.#policies.policyFor(peer), picture);
      return { outcome: 'offered', file };
    } catch (error) {
      return { outcome: 'refused', refusal: this.#refusalFor(error, 'session') };
    }
  }

  /** False when there is no such session. */
  closeSession(id: string): Promise<boolean> {
    return this.#sessions.close(id);
  }

  status(): AccountStatus {
    const { flow, registration } = this.#userAgent;
    return {
      identity: this.#self,
      policy: this.config.policy,
      registration,
      ...(flow === undefined ? {} : { flow }),
      sessions: this.#sessions.views(),
      kms: this.#tickets.state,
      tickets: this.#archive.keeping,
      endToEnd: {
        keyManagementServer: this.#tickets.configured ? this.#tickets.kmsIdentity : null,
        pskTls: this.#ports.msrp.canDoPskTls,
      },
    };
  }

  conversations(): readonly ConversationView[] {
    return this.#conversations.peers().map((peer) => ({
      peer,
      policy: this.#policies.policyFor(peer),
      messages: this.#conversations.of(peer),
    }));
  }

  /** Undefined returns the contact to the account's policy. Consent that was given to it ends, and so do weaker sessions. */
  setContactPolicy(contact: string, policy: Policy | undefined): void {
    const peer = tryKmsUserIdentity(contact) ?? contact;
    this.#policies.setPolicy(peer, policy);
    if (policy === 'require-e2e') this.#prefetch.want(peer);
    else this.#prefetch.unwant(peer);
    this.#sessions.enforcePolicy(peer);
  }

  /** Ends sessions, unregisters and disconnects, within a bounded time. Never rejects. */
  async stop(): Promise<void> {
    this.#receiver.stop();
    this.#prefetch.stop();
    const ending = Promise.all([
      this.files.stop(),
      this.#tickets.stop(),
      Promise.all([this.#sessions.stop(), this.rooms.stop()]).then(() => this.#userAgent.stop()),
    ]);
    const late = () => new Error('still ending');
    await withDeadline(this.#ports.clock, limits.stopMilliseconds, ending, late).catch(() => undefined);
    this.#relay?.close();
    this.#credential?.dispose();
  }

  #listen(context: SessionContext, onRefused: (peer: string, problem: Refusal) => void): void {
    const { events } = this.#userAgent;
    const takers: InviteTakers = {
      chat: (invite, peer, remote) => this.#sessions.answer(invite, peer, remote),
      file: (invite, peer, remote) => this.files.answer(invite, peer, remote),
      onRefused,
    };
    events.on('registration', (state) => {
      this.events.emit('registration', state);
      if (state.state !== 'registered') return;
      this.#waiting.release();
      this.#prefetch.start();
      void this.files.registered();
    });
    this.#tickets.events.on('state', (state) => this.events.emit('kms', state));
    this.#tickets.events.on('available', () => this.#waiting.release());
    events.on('message', (message) => this.#receiver.receive(message));
    events.on('invite', (invite) => {
      const claimed = invite.assertedIdentity ?? invite.from;
      const peer = tryKmsUserIdentity(claimed) ?? claimed;
      void routeInvite(context, invite, peer, takers);
    });
  }

  async #prepare(to: string, consent: boolean | undefined): Promise<string> {
    const peer = tryKmsUserIdentity(to);
    if (peer === undefined) throw refuse('invalid-address');
    await this.#requireRegistered();
    if (consent === true) this.#policies.consent(peer);
    return peer;
  }

  /** @throws RefusalError */
  async #requireRegistered(): Promise<void> {
    // A registration under way is waited for: it has its own deadline.
    await this.#registering;
    if (this.#userAgent.registration.state !== 'registered') throw refuse('not-registered');
  }

  async #sendImmediate(peer: string, text: string, policy: Policy, sequence: number): Promise<ChatMessage> {
    const at = this.#ports.clock.now();
    const written = { peer, text, at, way: 'message' } as const;
    try {
      this.#requireTurn(peer, policy);
      const { messageId, level, evidence } = await this.#sender.send(peer, text, policy);
      return this.#outgoing({ ...written, id: messageId, level, evidence, state: 'accepted' });
    } catch (error) {
      if (!(error instanceof RefusalError) || error.code !== 'kms-unreachable' || !this.#waiting.hasRoom) throw error;
      const id = randomId(this.#ports.random, 12);
      this.#waiting.add({ id, peer, text, sequence });
      const problem = error.refusal('waiting');
      return { ...this.#outgoing({ ...written, id, level: 'none', state: 'waiting' }), problem };
    }
  }

  /** A message that must be end-to-end does not overtake those that wait for the same. */
  #requireTurn(peer: string, policy: Policy): void {
    const needsKey =
      aimOf(policy) === 'e2e' && (policy === 'require-e2e' || this.#policies.agreedLevel(peer) === undefined);
    if (!needsKey || !this.#waiting.hasAny(peer)) return;
    const { nextAttempt } = this.#tickets.state;
    const offer = policy === 'prefer-e2e' ? { offered: this.#sender.offerLess(peer), required: policy } : {};
    throw refuse('kms-unreachable', 'message', {
      happened: 'Earlier messages to this contact wait for the key management server',
      ...offer,
      ...(nextAttempt === undefined ? {} : { nextAttempt }),
    });
  }

  /** End to end or not at all, whatever the policy allows meanwhile. */
  async #deliverWaiting({ id, peer, text }: WaitingMessage): Promise<WaitingOutcome> {
    if (this.#userAgent.registration.state !== 'registered') return 'waiting';
    try {
      const { level, evidence } = await this.#sender.sendEndToEnd(peer, text, id);
      this.#changeMessage(id, { level, evidence, state: 'accepted', problem: undefined });
    } catch (error) {
      const problem = this.#refusalFor(error, 'message');
      if (problem.code === 'kms-unreachable') return 'waiting';
      this.#changeMessage(id, { state: problem.uncertain === true ? 'failed' : 'refused', problem });
    }
    return 'done';
  }

  #giveUpWaiting(problem: Refusal): void {
    for (const { id } of this.#waiting.clear()) this.#changeMessage(id, { state: 'refused', problem });
  }

  #changeMessage(id: string, patch: MessagePatch): void {
    const changed = this.#conversations.change(id, patch);
    if (changed !== undefined) this.events.emit('messageState', changed);
  }

  async #sendInSession(peer: string, text: string, policy: Policy): Promise<ChatMessage> {
    const at = this.#ports.clock.now();
    const messageId = randomId(this.#ports.random, 12);
    this.#receipts.begin(messageId);
    try {
      const message = { from: this.#self, to: peer, at, messageId, text };
      const { level, evidence } = await this.#sessions.send(peer, message, policy);
      return this.#outgoing({ id: messageId, peer, text, at, way: 'msrp', level, evidence, state: 'delivered' });
    } catch (error) {
      this.#receipts.abandon(messageId);
      throw error;
    }
  }

  #outgoing({
    peer,
    ...rest
  }: Pick<ChatMessage, 'id' | 'text' | 'at' | 'way' | 'level' | 'evidence' | 'state'> & { peer: string }): ChatMessage {
    return { ...rest, conversation: peer, direction: 'out', from: this.#self, to: peer };
  }

  #keepSessionText(session: SessionView, { text, from, messageId, subject, sentAt, wants }: SessionText): void {
    const { peer, evidence } = session;
    // A CPIM From that names somebody else makes the sender doubtful, whatever protects the session.
    const honest = from === undefined || tryKmsUserIdentity(from) === peer;
    const level = honest || session.level === 'none' ? session.level : 'unverified';
    const claims = { ...(subject === undefined ? {} : { subject }), ...(sentAt === undefined ? {} : { sentAt }) };
    const { id } = this.#keepArrival('msrp', { peer, text, level, evidence }, claims);
    if (messageId === undefined || !wants.display) return;
    this.#awaitedDisplays.add({ id, peer, sessionId: session.id, level: session.level, messageId });
  }

  #keepArrival(
    way: MessageWay,
    { peer, text, level, evidence, problem }: Arrival,
    claims: Pick<ChatMessage, 'subject' | 'sentAt'> = {},
  ): ChatMessage {
    const message: ChatMessage = {
      id: randomId(this.#ports.random, 12),
      conversation: peer,
      direction: 'in',
      from: peer,
      to: this.#self,
      text,
      ...claims,
      at: this.#ports.clock.now(),
      way,
      level,
      evidence,
      state: problem === undefined ? 'received' : 'undecryptable',
      ...(problem === undefined ? {} : { problem }),
    };
    this.#conversations.add(message);
    this.events.emit('messageReceived', message);
    return message;
  }

  #lateArrival(id: string, { text, level, evidence, problem }: Arrival): void {
    const state = problem === undefined ? 'received' : 'undecryptable';
    this.#changeMessage(id, { text, level, evidence, state, problem });
  }

  #refusalFor(error: unknown, meaning: 'message' | 'session'): Refusal {
    const known = asRefusalError(error, 'connection-lost');
    if (known !== error) {
      this.#ports.log.log('error', 'account.unexpected', { reason: known.happened });
      return refusal('connection-lost', meaning === 'message' ? 'uncertain' : 'session', known.details);
    }
    return known.meaning === 'uncertain' ? known.refusal() : known.refusal(meaning);
  }
}

/** Who may sign the relay of a far end: those who sign ours, or the network's servers. */
function relayTrust({ msrpRelay, server }: AccountConfig): { readonly relayTrust?: string } {
  const trusted = msrpRelay?.trustedCa ?? server.trustedCa;
  return trusted === undefined ? {} : { relayTrust: trusted };
}

import { Events } from '../base/events.ts';
import type { Policy } from '../base/protection-level.ts';
import { profile } from '../protocol/profile.ts';
import { tryKmsUserIdentity } from '../protocol/sip/identities.ts';
import type { AkaCard } from './bootstrapping/bootstrap-method.ts';
import type { AccountConfig, AccountSecrets, ReceiptsConfig } from './account-config.ts';
import type { ConversationView, OpenSessionOutcome, SendOutcome } from './chat-message.ts';
import type {
  AccountEvents,
  AccountOutbox,
  AccountStatus,
  AskResendOutcome,
  ComposingRequest,
  OpenSessionRequest,
  SendFileOutcome,
  SendFileRequest,
  SendRequest,
  SendToGroupRequest,
} from './account-types.ts';
import { withDeadline } from './deadline.ts';
import { readIcon } from './files/file-icon.ts';
import { FileTransfers } from './files/file-transfers.ts';
import { limits } from './limits.ts';
import type { AccountHistory } from './messages/account-history.ts';
import { AccountMessages } from './messages/account-messages.ts';
import { createRelayClient, type RelayClient } from './msrp/relay-client.ts';
import { ContactPolicies } from './policy.ts';
import type { DeviceCertificate, EnginePorts, TicketStorage } from './ports.ts';
import { refuse, type Refusal } from './refusal.ts';
import { routeInvite, type InviteTakers } from './sessions/route-invite.ts';
import { Rooms } from './rooms/rooms.ts';
import { SessionBook } from './sessions/session-book.ts';
import type { SessionContext } from './sessions/session-context.ts';
import { SessionKeys } from './sessions/session-keys.ts';
import type { RegistrationState, SipUserAgent } from './sip/index.ts';
import { createMemoryStore } from './store/index.ts';
import { AccountKeys } from './tickets/account-keys.ts';
import type { KmsState } from './tickets/kms-state.ts';

export type {
  AccountEvents,
  AccountStatus,
  AskResendOutcome,
  ComposingRequest,
  IncomingRefusal,
  OpenSessionRequest,
  SendFileOutcome,
  SendFileRequest,
  SendRequest,
  SendToGroupRequest,
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
  /** Whether a peer is in the address book. */
  readonly isContact?: (peer: string) => boolean;
  /** What the address book says of receipts of this contact, where that differs from the account. */
  readonly receiptsOf?: (peer: string) => ReceiptsConfig | undefined;
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
  readonly #keys: AccountKeys;
  readonly #messages: AccountMessages;
  readonly #sessions: SessionBook;
  readonly #relay: RelayClient | undefined;
  #registering: Promise<RegistrationState> | undefined;

  constructor(parts: AccountParts) {
    const { ports, config, secrets, userAgent, certificate, sim, ticketStorage, isContact } = parts;
    this.config = config;
    this.#ports = ports;
    this.#userAgent = userAgent;
    this.events = new Events((error) => ports.log.log('error', 'account.listener-failed', { reason: String(error) }));
    this.#self = tryKmsUserIdentity(config.identity) ?? config.identity;
    const store =
      ports.store ??
      createMemoryStore({ reason: 'No place for messages is configured: they live as long as this program' });
    const configured = Object.entries(config.contactPolicies ?? {}).map(
      ([contact, policy]) => [tryKmsUserIdentity(contact) ?? contact, policy] as const,
    );
    this.#policies = new ContactPolicies(config.policy, {
      configured: new Map(configured),
      notes: store.account(config.id).notes,
    });
    this.#keys = new AccountKeys({ ports, config, secrets, self: this.#self, sim, ticketStorage });
    for (const contact of this.#policies.contactsWith('require-e2e')) this.#keys.follow(contact, 'require-e2e');
    const isKnown = (peer: string): boolean => this.#policies.isKnown(peer) || (isContact?.(peer) ?? false);
    this.#messages = new AccountMessages({
      isContact: isKnown,
      receiptsOf: parts.receiptsOf,
      ports,
      config,
      store,
      self: this.#self,
      userAgent,
      policies: this.#policies,
      tickets: this.#keys.tickets,
      events: this.events,
      lifetimeHours: config.messageLifetimeHours ?? limits.messageLifetimeHours,
      registration: () => this.#registrationForSending(),
      sessions: () => this.#sessions,
      files: () => this.files,
    });
    this.#relay = createRelayClient(ports, config, secrets);
    const context: SessionContext = {
      ports,
      ...(this.#relay === undefined ? {} : { relay: this.#relay }),
      ...relayTrust(config),
      userAgent,
      keys: new SessionKeys(ports, this.#keys.tickets),
      certificate,
      inferFromRegistration: config.e2aeInferFromRegistration ?? profile.accountDefaults.e2aeInferFromRegistration,
    };
    const onRefused = (peer: string, problem: Refusal): void => this.#messages.keepRefused('msrp', peer, problem);
    this.#sessions = new SessionBook({
      context,
      policies: this.#policies,
      self: this.#self,
      habits: {
        tellDelivery: config.receipts?.delivery ?? true,
        tellDisplay: config.receipts?.display ?? true,
        tellComposing: config.composing ?? true,
      },
      onReceipt: (session, receipt) => this.#messages.receipts.told(session, receipt),
      onComposing: ({ peer }, isWriting) => this.events.emit('composing', { peer, isWriting }),
      onChange: (change) => this.events.emit('session', change),
      onRefused,
      onText: (session, text, source) => this.#messages.keepSessionText(session, text, source),
    });
    this.files = new FileTransfers({
      context,
      policies: this.#policies,
      self: this.#self,
      storage: ports.files,
      config: config.files ?? {},
      isContact: isKnown,
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
    this.#registering ??= this.#userAgent.register().finally(() => {
      this.#registering = undefined;
      this.#messages.outbox.wake('registration');
    });
    return this.#registering;
  }

  /** Signs out: what waits goes on waiting, until the account registers again, and no key ticket stays. */
  async unregister(): Promise<RegistrationState> {
    await this.dropTickets();
    return this.#userAgent.unregister();
  }

  /** No key ticket stays, neither in memory nor at rest. */
  dropTickets(): Promise<void> {
    return this.#keys.signOut();
  }

  /** Asks a key management server that is away or refused at once, instead of at the next attempt. Resolves with what came of it. */
  retryKms(): Promise<KmsState> {
    return this.#keys.tickets.retry();
  }

  /** What was said, over all runs of the program. */
  get history(): AccountHistory {
    return this.#messages.history;
  }

  /** What is still owed: messages that wait or are on their way. */
  get outbox(): AccountOutbox {
    const { outbox } = this.#messages;
    return {
      list: () => outbox.list(),
      retry: (id) => this.#messages.retry(id),
      cancel: (id) => this.#messages.cancel(id),
    };
  }

  /** Contacts with a policy of their own. */
  contactPolicies(): ReadonlyMap<string, Policy> {
    return this.#policies.all();
  }

  /** Takes back a message that has not left. False when there is none of this id, or it has. */
  cancelMessage(id: string): boolean {
    return this.#messages.cancel(id);
  }

  /**
   * Never rejects. Without a registration the message waits for one; what could not be sent is a refusal that says why.
   */
  async sendMessage(request: SendRequest): Promise<SendOutcome> {
    const { to, text, way, policy, consent } = request;
    const recipients = this.#messages.immediate.groups.membersOf(to);
    if (recipients !== undefined) return this.sendToGroup({ ...request, recipients });
    try {
      const peer = this.#peerOf(to, consent);
      const demanded = policy ?? this.#policies.policyFor(peer);
      return await this.#messages.send({ peer, text, way, policy: demanded });
    } catch (error) {
      return { outcome: 'refused', refusal: this.#messages.refusalFor(error, 'message') };
    }
  }

  /**
   * The user writes, or writes no more: told in a session that stands, else by a message of its own. False when the peer is not
   * told: the account does not tell, the peer does not take it, or it could not go as protected as a text would.
   */
  composing({ to, isWriting }: ComposingRequest): boolean {
    const peer = tryKmsUserIdentity(to);
    if (peer === undefined) return false;
    const isTold = this.#sessions.composing(peer, this.#policies.policyFor(peer), isWriting);
    return isTold || this.#messages.immediate.composing(peer, isWriting);
  }

  /**
   * The user has seen the conversation with `peer` up to the message `upTo`: senders who asked are told, where account and
   * contact allow; of messages in sessions, while a session stands.
   */
  markDisplayed(peer: string, upTo: string): void {
    this.#messages.markDisplayed(peer, upTo);
  }

  /** To several at once, who see each other; needs a list service of the network (RFC 5365). Never rejects. */
  async sendToGroup(request: SendToGroupRequest): Promise<SendOutcome> {
    try {
      return await this.#messages.sendToGroup(request);
    } catch (error) {
      return { outcome: 'refused', refusal: this.#messages.refusalFor(error, 'message') };
    }
  }

  /**
   * Begins a conversation with several, without a message.
   * @returns its id. @throws RefusalError
   */
  startGroup(recipients: readonly string[]): string {
    return this.#messages.startGroup(recipients);
  }

  /** All who are in a group, ourselves too; undefined for what is no group of this account. */
  groupMembers(conversation: string): readonly string[] | undefined {
    return this.#messages.immediate.groups.membersOf(conversation);
  }

  /** Asks the sender of a message that could not be read to send it again, end to end. */
  askResend(id: string): AskResendOutcome {
    return this.#messages.immediate.askResend(id);
  }

  /** What this contact is told and asked to tell, where that differs from the account. Undefined: nothing differs. */
  setContactReceipts(contact: string, receipts: ReceiptsConfig | undefined): void {
    this.#messages.immediate.setContactReceipts(tryKmsUserIdentity(contact) ?? contact, receipts);
  }

  async openSession({ to, policy, consent }: OpenSessionRequest): Promise<OpenSessionOutcome> {
    try {
      const peer = await this.#prepare(to, consent);
      const session = await this.#sessions.sessionFor(peer, policy ?? this.#policies.policyFor(peer));
      return { outcome: 'opened', session: session.view };
    } catch (error) {
      return { outcome: 'refused', refusal: this.#messages.refusalFor(error, 'session') };
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
      return { outcome: 'refused', refusal: this.#messages.refusalFor(error, 'session') };
    }
  }

  /** False when there is no such session. */
  closeSession(id: string): Promise<boolean> {
    return this.#sessions.close(id);
  }

  status(): AccountStatus {
    const { flow, flows, registration, ownDevices } = this.#userAgent;
    return {
      identity: this.#self,
      policy: this.config.policy,
      registration,
      ownDevices,
      ...(flow === undefined ? {} : { flow }),
      flows,
      sessions: this.#sessions.views(),
      kms: this.#keys.tickets.state,
      tickets: this.#keys.keeping,
      endToEnd: {
        keyManagementServer: this.#keys.tickets.configured ? this.#keys.tickets.kmsIdentity : null,
        pskTls: this.#ports.msrp.canDoPskTls,
      },
    };
  }

  conversations(): readonly ConversationView[] {
    return this.#messages.conversations();
  }

  /** The policy that is set for this contact itself; undefined where that of the account counts. */
  contactPolicy(contact: string): Policy | undefined {
    const peer = tryKmsUserIdentity(contact) ?? contact;
    return this.#policies.isKnown(peer) ? this.#policies.policyFor(peer) : undefined;
  }

  /** Undefined returns the contact to the account's policy. Consent that was given to it ends, and so do weaker sessions. */
  setContactPolicy(contact: string, policy: Policy | undefined): void {
    const peer = tryKmsUserIdentity(contact) ?? contact;
    this.#policies.setPolicy(peer, policy);
    this.events.emit('contactPolicy', { peer, policy });
    this.#keys.follow(peer, policy);
    this.#messages.raise(peer);
    this.#sessions.enforcePolicy(peer);
  }

  /** Ends sessions, unregisters and disconnects, within a bounded time. Never rejects. */
  async stop(): Promise<void> {
    this.#messages.stop();
    const ending = Promise.all([
      this.files.stop(),
      this.#keys.stop(),
      Promise.all([this.#sessions.stop(), this.rooms.stop()]).then(() => this.#userAgent.stop()),
    ]);
    const late = () => new Error('still ending');
    await withDeadline(this.#ports.clock, limits.stopMilliseconds, ending, late).catch(() => undefined);
    this.#relay?.close();
    this.#keys.dispose();
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
      this.#messages.outbox.wake('registration');
      if (state.state !== 'registered') return;
      this.#messages.resume();
      this.#keys.start();
      void this.files.registered();
    });
    this.#keys.tickets.events.on('state', (state) => this.events.emit('kms', state));
    this.#keys.tickets.events.on('available', () => {
      this.#messages.outbox.wake('keys');
      this.#messages.resume();
    });
    events.on('ownDevices', (devices) => this.events.emit('ownDevices', devices));
    events.on('message', (message) => this.#messages.receive(message));
    events.on('invite', (invite) => {
      const claimed = invite.assertedIdentity ?? invite.from;
      const peer = tryKmsUserIdentity(claimed) ?? claimed;
      void routeInvite(context, invite, peer, takers);
    });
  }

  async #prepare(to: string, consent: boolean | undefined): Promise<string> {
    const peer = this.#peerOf(to, undefined);
    await this.#requireRegistered();
    return this.#peerOf(peer, consent);
  }

  #peerOf(to: string, consent: boolean | undefined): string {
    const peer = tryKmsUserIdentity(to);
    if (peer === undefined) throw refuse('invalid-address');
    if (consent === true) this.#policies.consent(peer);
    return peer;
  }

  #registrationForSending(): 'registered' | 'settling' | 'none' {
    const { state } = this.#userAgent.registration;
    if (state === 'registered') return state;
    return state === 'registering' || this.#registering !== undefined ? 'settling' : 'none';
  }

  /** @throws RefusalError */
  async #requireRegistered(): Promise<void> {
    // A registration under way is waited for: it has its own deadline.
    await this.#registering;
    if (this.#userAgent.registration.state !== 'registered') throw refuse('not-registered');
  }
}

/** Who may sign the relay of a far end: those who sign ours, or the network's servers. */
function relayTrust({ msrpRelay, server }: AccountConfig): { readonly relayTrust?: string } {
  const trusted = msrpRelay?.trustedCa ?? server.trustedCa;
  return trusted === undefined ? {} : { relayTrust: trusted };
}

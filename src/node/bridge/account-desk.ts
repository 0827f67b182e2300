import type { Clock } from '../../base/clock.ts';
import type { Unsubscribe } from '../../base/events.ts';
import { randomId, type Random } from '../../base/random.ts';
import type {
  AccountView,
  CheckedInput,
  ConversationView,
  FlowView,
  KmsState,
  MessageView,
  Policy,
  Refusal,
  RegistrationState,
  SendOutcome,
  SessionOutcome,
  SessionView,
} from '../../contract/index.ts';
import type { Account } from '../../engine/account.ts';
import type { ChatMessage, SessionView as EngineSession } from '../../engine/chat-message.ts';
import type { AccountConfig } from '../../engine/account-config.ts';
import type { FlowStatus, RegistrationState as EngineRegistration } from '../../engine/sip/index.ts';
import { RefusalError } from '../../engine/refusal.ts';
import { tryKmsUserIdentity } from '../../protocol/sip/identities.ts';
import type { ConversationBook } from './conversation-book.ts';
import { FileDesk, type AccountWithFiles, type FileShell } from './file-desk.ts';
import { HistoryDesk, type AccountWithHistory } from './history-desk.ts';
import type { HostProfile } from './host-profile.ts';
import { BridgeFault, type HostEvent } from './host.ts';

/** What the screens need of an account of the engine. */
export type HostedAccount = Pick<
  Account,
  | 'config'
  | 'events'
  | 'register'
  | 'unregister'
  | 'sendMessage'
  | 'cancelMessage'
  | 'retryKms'
  | 'openSession'
  | 'closeSession'
  | 'composing'
  | 'markDisplayed'
  | 'status'
  | 'history'
  | 'contactPolicies'
  | 'setContactPolicy'
  | 'setContactReceipts'
  | 'sendToGroup'
  | 'startGroup'
> &
  AccountWithFiles &
  AccountWithHistory;

export interface DeskParts {
  readonly account: HostedAccount;
  readonly book: ConversationBook;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: (event: HostEvent) => void;
  /** Absent where the screens can send no files. */
  readonly shell?: FileShell | undefined;
  readonly profile: HostProfile | undefined;
}

/** One account on the screens' side: what the engine keeps and tells, in the words of the contract. */
export class AccountDesk {
  readonly files: FileDesk;
  readonly history: HistoryDesk;
  readonly #parts: DeskParts;
  readonly #subscriptions: Unsubscribe[];

  constructor(parts: DeskParts) {
    this.#parts = parts;
    const { account, book } = parts;
    const onChange = (): void => parts.emit({ event: 'account', account: this.view() });
    this.history = new HistoryDesk({ ...parts, onChange });
    this.#takeOver();
    this.files = new FileDesk({ account, book, shell: parts.shell, emit: parts.emit });
    this.#subscriptions = [
      account.events.on('registration', () => parts.emit({ event: 'account', account: this.view() })),
      account.events.on('messageReceived', (message) => book.putMessage(this.#shown(message))),
      account.events.on('messageState', (message) => book.putMessage(this.#shown(message))),
      account.events.on('messageCancelled', ({ id, conversation }) =>
        book.messageRemoved({ accountId: this.id, peer: conversation }, id),
      ),
      account.events.on('ownDevices', onChange),
      account.events.on('kms', () => parts.emit({ event: 'account', account: this.view() })),
      account.events.on('session', ({ session }) => this.#sessionChanged(session.peer)),
      account.events.on('composing', ({ peer, isWriting }) =>
        book.setPeerWriting({ accountId: this.id, peer }, isWriting),
      ),
      account.events.on('incomingRefused', ({ message }) => {
        // A copy of what is there already is nothing to read.
        if (message !== undefined) book.putMessage(this.#shown(message));
      }),
    ];
  }

  close(): void {
    for (const unsubscribe of this.#subscriptions) unsubscribe();
    this.files.close();
    this.history.close();
  }

  get id(): string {
    return this.#parts.account.config.id;
  }

  get identity(): { readonly id: string; readonly identity: string } {
    const { id, identity } = this.#parts.account.config;
    return { id, identity };
  }

  view(): AccountView {
    const { config } = this.#parts.account;
    const { registration, kms, tickets, flows, ownDevices } = this.#parts.account.status();
    return {
      id: config.id,
      identity: config.identity,
      displayName: config.displayName,
      domain: config.domain,
      policy: config.policy,
      registration: shownRegistration(registration),
      transport: config.server.protocol,
      kms: config.kms?.identity,
      kmsState: kms,
      retention: this.history.retention,
      presence: this.#presence(),
      flows: flows.map((flow) => shownFlow(flow, config)),
      ownDevices,
      hasGroups: config.messages?.listService !== undefined,
      tickets,
    };
  }

  #presence(): AccountView['presence'] {
    const presence = this.#parts.profile?.people.presence(this.id);
    return presence && { watches: presence.own().watches };
  }

  /** The peer as conversations know it; an address that the engine will refuse stays as it was typed. */
  peerOf(address: string): string {
    return tryKmsUserIdentity(address) ?? address;
  }

  async register(): Promise<RegistrationState> {
    return shownRegistration(await this.#parts.account.register());
  }

  async unregister(): Promise<RegistrationState> {
    return shownRegistration(await this.#parts.account.unregister());
  }

  /** @throws BridgeFault for another certificate than the one that the user was asked about */
  async acceptServerCertificate(sha256: string): Promise<RegistrationState> {
    const { account, profile } = this.#parts;
    const { registration } = account.status();
    const asked = registration.state === 'failed' ? registration.changedCertificate?.shown : undefined;
    if (asked !== sha256 || profile === undefined) {
      throw new BridgeFault('invalid-input', 'The server does not show this certificate.');
    }
    await profile.acceptServerCertificate(this.id, sha256);
    return this.register();
  }

  retryKms(): Promise<KmsState> {
    return this.#parts.account.retryKms();
  }

  /** Takes back a message that waits. @throws BridgeFault when it is on its way. */
  cancelWaiting(messageId: string): void {
    if (!this.#parts.account.cancelMessage(messageId)) {
      throw new BridgeFault('invalid-input', 'This message does not wait any more: it is on its way.');
    }
  }

  async sendMessage(input: CheckedInput<'sendMessage'>): Promise<SendOutcome> {
    const { account, book } = this.#parts;
    const { text, way, policy, consent, replaces } = input;
    const peer = this.peerOf(input.to);
    const key = { accountId: this.id, peer };
    if (replaces !== undefined) {
      if (book.findMessage(key, replaces)?.state === 'queued') this.cancelWaiting(replaces);
      else book.removeMessage(key, replaces);
    }
    const members = account.groupMembers(peer);
    const self = account.status().identity;
    const what = { text, ...given(policy, consent) };
    const outcome =
      members === undefined
        ? await account.sendMessage({ to: input.to, way, ...what })
        : await account.sendToGroup({ recipients: members.filter((one) => one !== self), ...what });
    switch (outcome.outcome) {
      case 'offered':
        return { outcome: 'offered', fileId: outcome.file.id };
      case 'refused': {
        const { refusal, message } = outcome;
        const attempt = message === undefined ? this.#unkept(peer, text, way, refusal) : this.#shown(message);
        return { outcome: 'refused', refusal, message: attempt };
      }
      case 'sent':
      case 'waiting':
        return { outcome: outcome.outcome, message: this.#shown(outcome.message) };
    }
  }

  /** @throws BridgeFault for those who are no group, or where the network has none */
  startGroup(members: readonly string[]): ConversationView {
    try {
      const peer = this.#parts.account.startGroup(members);
      return this.#parts.book.start({ accountId: this.id, peer });
    } catch (error) {
      if (error instanceof RefusalError) throw new BridgeFault('invalid-input', `${error.happened}.`);
      throw error;
    }
  }

  async openSession({ to, policy }: CheckedInput<'openSession'>): Promise<SessionOutcome> {
    const { account, book } = this.#parts;
    const key = { accountId: this.id, peer: this.peerOf(to) };
    if (book.session(key) === undefined) book.setSession(key, { id: 'opening', state: 'opening' });
    const outcome = await account.openSession({ to, ...(policy === undefined ? {} : { policy }) });
    this.#sessionChanged(key.peer);
    return outcome.outcome === 'opened'
      ? { outcome: 'opened', session: shownSession(outcome.session) }
      : { outcome: 'refused', refusal: outcome.refusal };
  }

  async closeSession(sessionId: string): Promise<void> {
    await this.#parts.account.closeSession(sessionId);
  }

  markDisplayed({ peer, messageId }: CheckedInput<'markDisplayed'>): void {
    this.#parts.account.markDisplayed(this.peerOf(peer), messageId);
  }

  composing({ peer, isWriting }: CheckedInput<'composing'>): void {
    this.#parts.account.composing({ to: peer, isWriting });
  }

  setContactPolicy({ peer, policy }: CheckedInput<'setContactPolicy'>): void {
    const contact = this.peerOf(peer);
    this.#parts.account.setContactPolicy(contact, policy ?? undefined);
    this.#parts.book.setPolicy({ accountId: this.id, peer: contact }, policy ?? undefined);
  }

  /** What was said before the screens came. */
  #takeOver(): void {
    const { account, book } = this.#parts;
    book.addAccount(this.id, account.history, this.history.facts());
    for (const [peer, policy] of account.contactPolicies()) book.setPolicy({ accountId: this.id, peer }, policy);
    for (const { peer } of account.status().sessions) this.#sessionChanged(peer);
  }

  #sessionChanged(peer: string): void {
    const open = this.#parts.account.status().sessions.filter((session) => session.peer === peer);
    const newest = open.reduce<EngineSession | undefined>(
      (found, session) => (found === undefined || session.openedAt >= found.openedAt ? session : found),
      undefined,
    );
    this.#parts.book.setSession({ accountId: this.id, peer }, newest === undefined ? undefined : shownSession(newest));
  }

  /** An attempt of which the engine kept nothing: it stands nowhere but in the answer. */
  #unkept(peer: string, text: string, way: MessageView['way'], problem: Refusal): MessageView {
    const { account, clock, random } = this.#parts;
    return {
      id: randomId(random, 12),
      accountId: this.id,
      conversation: peer,
      direction: 'out',
      from: account.config.identity,
      to: peer,
      text,
      at: clock.now(),
      way,
      level: 'none',
      state: 'refused',
      problem,
    };
  }

  #shown(message: ChatMessage): MessageView {
    return { ...message, accountId: this.id };
  }
}

function given(policy: Policy | undefined, consent: boolean | undefined) {
  return { ...(policy === undefined ? {} : { policy }), ...(consent === undefined ? {} : { consent }) };
}

function shownSession({ id, level, evidence }: EngineSession): SessionView {
  return { id, state: 'open', level, evidence };
}

function shownFlow({ regId, registration, flow }: FlowStatus, { server, secondServer }: AccountConfig): FlowView {
  const { tls } = flow ?? {};
  return {
    number: regId,
    registration: shownRegistration(registration),
    server: (regId === 1 ? server : (secondServer ?? server)).host,
    connection: flow && {
      transport: flow.protocol,
      tls: tls && {
        version: tls.version,
        suite: tls.suite,
        proof: tls.serverProof,
        certificate: tls.peerCertificate?.sha256,
      },
      agreed: flow.securityAgreement?.server ?? [],
    },
  };
}

function shownRegistration(registration: EngineRegistration): RegistrationState {
  return registration;
}

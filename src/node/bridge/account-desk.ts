import type { Clock } from '../../base/clock.ts';
import type { Unsubscribe } from '../../base/events.ts';
import { randomId, type Random } from '../../base/random.ts';
import type {
  AccountView,
  CheckedInput,
  KmsState,
  MessageView,
  RegistrationState,
  SendOutcome,
  SessionOutcome,
  SessionView,
} from '../../contract/index.ts';
import type { Account, IncomingRefusal } from '../../engine/account.ts';
import type { ChatMessage, SessionView as EngineSession } from '../../engine/chat-message.ts';
import type { RegistrationState as EngineRegistration } from '../../engine/sip/index.ts';
import { tryKmsUserIdentity } from '../../protocol/sip/identities.ts';
import type { ConversationBook } from './conversation-book.ts';
import { FileDesk, type AccountWithFiles, type FileShell } from './file-desk.ts';
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
  | 'conversations'
  | 'setContactPolicy'
> &
  AccountWithFiles;

export interface DeskParts {
  readonly account: HostedAccount;
  readonly book: ConversationBook;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: (event: HostEvent) => void;
  /** Absent where the screens can send no files. */
  readonly shell?: FileShell | undefined;
}

/** Conversations that strangers may begin by something that was refused. */
const conversationsByRefusal = 200;

/**
 * One account on the screens' side. It adds what only screens need: a message is there from the moment it is sent, keeps its
 * place and id whatever becomes of it, and stays when it was refused.
 */
export class AccountDesk {
  readonly files: FileDesk;
  readonly #parts: DeskParts;
  readonly #subscriptions: Unsubscribe[];
  /** Own messages that the engine told of while sends to the same peer were under way: one of these is that send's. */
  readonly #held = new Map<string, ChatMessage[]>();
  readonly #sending = new Map<string, number>();
  /** The engine's id of an own message, to the id under which it stands on the screens. */
  readonly #shownAs = new Map<string, string>();

  constructor(parts: DeskParts) {
    this.#parts = parts;
    const { account, book } = parts;
    this.#takeOver();
    this.files = new FileDesk({ account, book, shell: parts.shell, emit: parts.emit });
    this.#subscriptions = [
      account.events.on('registration', () => parts.emit({ event: 'account', account: this.view() })),
      account.events.on('messageReceived', (message) => book.putMessage(this.#shown(message))),
      account.events.on('messageState', (message) => this.#messageChanged(message)),
      account.events.on('messageCancelled', (message) => this.#messageCancelled(message)),
      account.events.on('kms', () => parts.emit({ event: 'account', account: this.view() })),
      account.events.on('session', ({ session }) => this.#sessionChanged(session.peer)),
      account.events.on('composing', ({ peer, isWriting }) =>
        book.setPeerWriting({ accountId: this.id, peer }, isWriting),
      ),
      account.events.on('incomingRefused', (refused) => this.#incomingRefused(refused)),
    ];
  }

  close(): void {
    for (const unsubscribe of this.#subscriptions) unsubscribe();
    this.files.close();
  }

  get id(): string {
    return this.#parts.account.config.id;
  }

  view(): AccountView {
    const { config } = this.#parts.account;
    const { registration, kms, tickets } = this.#parts.account.status();
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
      tickets,
    };
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

  retryKms(): Promise<KmsState> {
    return this.#parts.account.retryKms();
  }

  /** Takes back a message that waits. @throws BridgeFault when it is on its way. */
  cancelWaiting(messageId: string): void {
    const engineId = [...this.#shownAs].find(([, shown]) => shown === messageId)?.[0] ?? messageId;
    if (!this.#parts.account.cancelMessage(engineId)) {
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
    const sending = this.#begun(peer, text, way);
    book.putMessage(sending);
    this.#count(peer, 1);
    const outcome = await account.sendMessage({
      to: input.to,
      text,
      way,
      ...(policy === undefined ? {} : { policy }),
      ...(consent === undefined ? {} : { consent }),
    });
    if (outcome.outcome === 'offered') {
      this.#count(peer, -1);
      book.removeMessage(key, sending.id);
      this.#release(peer);
      return { outcome: 'offered', fileId: outcome.file.id };
    }
    if (outcome.outcome !== 'refused') this.#shownAs.set(outcome.message.id, sending.id);
    this.#count(peer, -1);
    const message: MessageView =
      outcome.outcome === 'refused'
        ? { ...sending, state: 'refused', problem: outcome.refusal }
        : this.#shown(this.#latest(peer, outcome.message));
    book.putMessage(message);
    this.#release(peer);
    return outcome.outcome === 'refused'
      ? { outcome: 'refused', refusal: outcome.refusal, message }
      : { outcome: outcome.outcome, message };
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

  /** What was said before the screens came is shown as read. */
  #takeOver(): void {
    const { account, book } = this.#parts;
    for (const [contact, policy] of Object.entries(account.config.contactPolicies ?? {})) {
      book.setPolicy({ accountId: this.id, peer: this.peerOf(contact) }, policy);
    }
    for (const { peer, messages } of account.conversations()) {
      for (const message of messages) book.putMessage(this.#shown(message));
      if (messages.length > 0) book.markRead({ accountId: this.id, peer });
    }
    for (const { peer } of account.status().sessions) this.#sessionChanged(peer);
  }

  #messageChanged(message: ChatMessage): void {
    const peer = message.conversation;
    const isOwnNews = message.direction === 'out' && !this.#shownAs.has(message.id);
    if (isOwnNews && (this.#sending.get(peer) ?? 0) > 0) {
      this.#held.set(peer, [...(this.#held.get(peer) ?? []), message]);
    } else {
      this.#parts.book.putMessage(this.#shown(message));
    }
  }

  #messageCancelled(message: ChatMessage): void {
    const shownId = this.#shown(message).id;
    const key = { accountId: this.id, peer: message.conversation };
    if (this.#parts.book.findMessage(key, shownId) !== undefined) this.#parts.book.removeMessage(key, shownId);
    this.#shownAs.delete(message.id);
  }

  /** What the engine last said of a message, which may be more than the outcome of the send. */
  #latest(peer: string, message: ChatMessage): ChatMessage {
    return this.#held.get(peer)?.findLast((held) => held.id === message.id) ?? message;
  }

  /** When no send is under way any more, what is left was sent by somebody else who drives this account. */
  #release(peer: string): void {
    const held = (this.#held.get(peer) ?? []).filter((message) => !this.#shownAs.has(message.id));
    if ((this.#sending.get(peer) ?? 0) > 0) {
      this.#held.set(peer, held);
      return;
    }
    this.#held.delete(peer);
    for (const message of held) this.#parts.book.putMessage(this.#shown(message));
  }

  #count(peer: string, step: 1 | -1): void {
    const count = (this.#sending.get(peer) ?? 0) + step;
    if (count === 0) this.#sending.delete(peer);
    else this.#sending.set(peer, count);
  }

  #sessionChanged(peer: string): void {
    const open = this.#parts.account.status().sessions.filter((session) => session.peer === peer);
    const newest = open.reduce<EngineSession | undefined>(
      (found, session) => (found === undefined || session.openedAt >= found.openedAt ? session : found),
      undefined,
    );
    this.#parts.book.setSession({ accountId: this.id, peer }, newest === undefined ? undefined : shownSession(newest));
  }

  #incomingRefused({ way, peer, refusal }: IncomingRefusal): void {
    const { account, book } = this.#parts;
    // A copy of what is there already is nothing to read.
    if (refusal.code === 'replayed') return;
    if (!book.has({ accountId: this.id, peer }) && book.size >= conversationsByRefusal) return;
    book.putMessage({
      ...this.#begun(peer, '', way),
      direction: 'in',
      from: peer,
      to: account.config.identity,
      state: 'refused',
      problem: refusal,
    });
  }

  #begun(peer: string, text: string, way: MessageView['way']): MessageView {
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
      state: 'sent',
    };
  }

  #shown(message: ChatMessage): MessageView {
    return { ...message, id: this.#shownAs.get(message.id) ?? message.id, accountId: this.id };
  }
}

function shownSession({ id, level, evidence }: EngineSession): SessionView {
  return { id, state: 'open', level, evidence };
}

function shownRegistration(registration: EngineRegistration): RegistrationState {
  return registration;
}

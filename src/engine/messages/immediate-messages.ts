import type { AccountConfig, ReceiptsConfig } from '../account-config.ts';
import type { ChatMessage } from '../chat-message.ts';
import { MessageComposing } from '../composing/message-composing.ts';
import { Groups } from '../groups/group.ts';
import type { ContactPolicies } from '../contact-policies.ts';
import type { EnginePorts } from '../ports.ts';
import { MessageReceipts } from '../receipts/message-receipts.ts';
import { OwedReceipts } from '../receipts/owed-receipts.ts';
import { ReceiptSettings } from '../receipts/receipt-settings.ts';
import { ToldReceipts } from '../receipts/told-receipts.ts';
import type { Refusal } from '../refusal.ts';
import type { IncomingMessage, SipUserAgent } from '../sip/index.ts';
import type { AccountStore } from '../store/index.ts';
import type { TicketService } from '../tickets/ticket-service.ts';
import type { Arrivals } from './arrivals.ts';
import { ContentSender } from './content-sender.ts';
import { ContentTaker } from './content-taker.ts';
import { MessageReceiver } from './message-receiver.ts';
import { MessageSender } from './message-sender.ts';
import { PeerAbilities } from './peer-abilities.ts';
import { Resends } from './resends.ts';
import { SealedArrivals } from './sealed-arrivals.ts';
import { Turns } from './turns.ts';

export interface ImmediateMessagesOptions {
  readonly ports: EnginePorts;
  readonly config: Pick<AccountConfig, 'receipts' | 'messages' | 'composing'>;
  /** KMS user identity of the account. */
  readonly self: string;
  readonly userAgent: SipUserAgent;
  readonly tickets: TicketService;
  readonly policies: ContactPolicies;
  readonly store: AccountStore;
  readonly arrivals: Arrivals;
  readonly isContact: (peer: string) => boolean;
  /** What the address book says of receipts of this contact. */
  readonly receiptsOf?: ((peer: string) => ReceiptsConfig | undefined) | undefined;
  readonly onChanged: (message: ChatMessage) => void;
  /** It stood there unread, and turned out to be no text. */
  readonly onRemoved: (message: ChatMessage) => void;
  readonly onRefused: (peer: string, problem: Refusal) => void;
  readonly onComposing: (peer: string, isWriting: boolean) => void;
  /** A text of this peer came as a message of its own. */
  readonly onText: (peer: string) => void;
  /** A message of this device to one recipient: its state moves, where it may, and nothing more is owed to it. */
  readonly advance: (id: string, state: 'delivered' | 'displayed' | 'failed', problem?: Refusal) => void;
}

/** Everything of an account that travels as SIP MESSAGE: texts, what is told of them, and who is writing. */
export class ImmediateMessages {
  readonly sender: MessageSender;
  readonly groups: Groups;
  readonly settings: ReceiptSettings;
  readonly #options: ImmediateMessagesOptions;
  readonly #owed: OwedReceipts;
  readonly #receipts: MessageReceipts;
  readonly #composing: MessageComposing;
  readonly #resends: Resends;
  readonly #sealed: SealedArrivals;
  readonly #receiver: MessageReceiver;

  constructor(options: ImmediateMessagesOptions) {
    this.#options = options;
    const { ports, config, self, userAgent, tickets, policies, store, arrivals, onRefused } = options;
    const { notes } = store;
    const shared = { ports, self, userAgent };
    const contents = new ContentSender({ ...shared, tickets, maxOctets: config.messages?.maxOctets });
    const abilities = new PeerAbilities(ports.clock, notes);
    this.groups = new Groups(notes);
    this.settings = new ReceiptSettings(config.receipts ?? {}, notes, options.receiptsOf);
    this.sender = new MessageSender({ ...shared, contents, policies, abilities, receipts: this.settings });
    this.#owed = new OwedReceipts({ ...shared, contents, abilities, notes });
    this.#receipts = new MessageReceipts({ ports, self, notes, settings: this.settings, owed: this.#owed });
    this.#composing = new MessageComposing({
      ...shared,
      contents,
      policies,
      abilities,
      tells: config.composing ?? true,
      onChange: options.onComposing,
    });
    const told = new ToldReceipts({
      log: ports.log,
      messages: store.messages,
      onChanged: options.onChanged,
      advance: options.advance,
      onUnreadable: (message, peer) => void this.#resends.answer(message, peer),
    });
    this.#resends = new Resends({
      log: ports.log,
      notes,
      isAllowed: (peer) => config.messages?.resend !== 'never' && options.isContact(peer),
      send: (message, peer) => this.#resend(message, peer),
      onGivenUp: (message, peer) => told.fail(message, peer, 'decryption-failed', unreadableThere),
      tell: (peer, messageId, sentAt) => this.#receipts.unreadable(peer, messageId, sentAt),
    });
    const taker = new ContentTaker({
      clock: ports.clock,
      self,
      store,
      arrivals,
      groups: this.groups,
      receipts: this.#receipts,
      owed: this.#owed,
      told,
      composing: this.#composing,
      onRemoved: options.onRemoved,
      policyFor: (peer) => policies.policyFor(peer),
      onText: (peer) => {
        this.#composing.messageArrived(peer);
        options.onText(peer);
      },
    });
    const turns = new Turns();
    this.#sealed = new SealedArrivals({ ports, tickets, self, store, arrivals, taker, turns, onRefused });
    this.#receiver = new MessageReceiver({ ports, taker, sealed: this.#sealed, turns, onRefused });
  }

  receive(message: IncomingMessage): void {
    this.#receiver.receive(message);
  }

  /** The user has seen these messages: senders who asked are told, where account and contact allow. */
  displayed(ids: readonly string[]): void {
    this.#receipts.displayed(ids);
  }

  /** Undefined returns the contact to what holds for the account. */
  setContactReceipts(peer: string, settings: ReceiptsConfig | undefined): void {
    this.settings.setContact(peer, settings);
  }

  /** The user writes to `peer`, where no session stands. False when the peer is not told. */
  composing(peer: string, isWriting: boolean): boolean {
    return this.#composing.typed(peer, this.#options.policies.policyFor(peer), isWriting);
  }

  /** A text went to `peer`, by whichever way. */
  textSent(peer: string): void {
    this.#composing.sent(peer);
  }

  /** A text of `peer` came in a session. */
  textArrived(peer: string): void {
    this.#composing.messageArrived(peer);
  }

  /** Asks the sender of a message that could not be read to send it again. */
  askResend(id: string): ReturnType<Resends['ask']> {
    return this.#resends.ask(this.#options.store.messages.get(id));
  }

  /** The registration is there, or keys can be had again: takes up what waits. */
  resume(): void {
    this.#sealed.resume();
    this.#owed.release(true);
  }

  stop(): void {
    this.#sealed.stop();
    this.#owed.stop();
    this.#composing.stop();
  }

  /**
   * End to end as the first time, under a fresh ticket: the one of the first time may be what could not be read. To one member
   * of a group alone, but as part of the group.
   */
  async #resend(message: ChatMessage, peer: string): Promise<void> {
    const { id, messageId = id, text, at, recipients } = message;
    const audience = recipients?.map(({ address }) => address) ?? [peer];
    this.#options.tickets.drop(audience, 'message');
    await this.sender.send({
      peer,
      text,
      at,
      messageId,
      policy: 'require-e2e',
      floor: 'e2e',
      isAgain: true,
      audience,
      // It stays what it is: nothing is told of this attempt but that it failed.
      leaving: () => Promise.resolve(),
    });
  }
}

const unreadableThere = 'The other side could not decrypt the message and asked for it in vain';

import { isAtLeast, type ProtectionLevel } from '../../base/protection-level.ts';
import type { Logger } from '../../base/log.ts';
import type { ImdnPayload } from '../../protocol/imdn/index.ts';
import type { ChatMessage, MessageState, RecipientState } from '../chat-message.ts';
import { limits } from '../limits.ts';
import { refusal, type Refusal } from '../refusal.ts';
import type { MessageStore } from '../store/index.ts';

/** Who tells, and how that came. */
export interface Teller {
  readonly peer: string;
  readonly level: ProtectionLevel;
}

export interface ToldReceiptsOptions {
  readonly log: Logger;
  readonly messages: MessageStore;
  readonly onChanged: (message: ChatMessage) => void;
  /** Of a message of this device to one recipient: its state moves, where it may, and nothing more is owed to it. */
  readonly advance: (id: string, state: 'delivered' | 'displayed' | 'failed', problem?: Refusal) => void;
  /** The recipient's device has it and cannot read or show it. */
  readonly onUnreadable: (message: ChatMessage, peer: string) => void;
}

/** Of what left, from worst to best; nothing goes back in it. */
const order: readonly MessageState[] = ['queued', 'sent', 'accepted', 'delivered', 'displayed'];

/** What the recipients' devices tell of messages of ours (RFC 5438), where they may be believed. */
export class ToldReceipts {
  readonly #options: ToldReceiptsOptions;
  /** Of messages that are not known here: what another device of ours sent may come after what is told of it. */
  readonly #early: { readonly teller: Teller; readonly receipt: ImdnPayload }[] = [];

  constructor(options: ToldReceiptsOptions) {
    this.#options = options;
  }

  /** What another device of ours sent has come in. */
  copyArrived(messageId: string | undefined, conversation: string): void {
    const { messages } = this.#options;
    if (messageId === undefined || messages.find(conversation, 'out', messageId) === undefined) return;
    const mine = this.#early.filter(({ receipt }) => receipt.messageId === messageId);
    for (const early of mine) {
      this.#early.splice(this.#early.indexOf(early), 1);
      this.#take(early.teller, early.receipt);
    }
  }

  told(teller: Teller, receipts: readonly ImdnPayload[]): void {
    for (const receipt of receipts) this.#take(teller, receipt);
  }

  #take(teller: Teller, receipt: ImdnPayload): void {
    const { log, onUnreadable } = this.#options;
    const message = this.#find(teller.peer, receipt.messageId);
    const problem = problemOf(message, teller);
    if (message === undefined) this.#keepEarly(teller, receipt);
    if (message === undefined || problem !== undefined) {
      log.log('debug', 'receipt.ignored', { reason: problem ?? 'unknown message' });
      return;
    }
    switch (receipt.status) {
      case 'delivered':
      case 'displayed':
        this.#arrived(message, teller.peer, receipt.status);
        return;
      case 'error':
        onUnreadable(message, teller.peer);
        return;
      case 'failed':
        this.fail(message, teller.peer, 'peer-refused', 'The other side’s device took it and could not show it');
        return;
      case 'forbidden':
      case 'processed':
      case 'stored':
        // Of the way, not of the message.
        log.log('debug', 'receipt.noted', { status: receipt.status });
    }
  }

  #keepEarly(teller: Teller, receipt: ImdnPayload): void {
    this.#early.push({ teller, receipt });
    if (this.#early.length > limits.earlyReceipts) this.#early.shift();
  }

  /** It did not get through to this recipient, unless it did by another device. */
  fail(message: ChatMessage, peer: string, code: 'peer-refused' | 'decryption-failed', happened: string): void {
    const { messages, onChanged } = this.#options;
    const before = stateFor(message, peer);
    if (before === undefined || order.indexOf(before) >= order.indexOf('delivered') || before === 'failed') return;
    const problem = refusal(code, 'uncertain', { happened });
    if (isOwnToOne(message)) {
      this.#options.advance(message.id, 'failed', problem);
      return;
    }
    const recipients = withRecipient(message.recipients, peer, { state: 'failed', problem });
    const isOver =
      recipients === undefined || recipients.every(({ state }) => state === 'failed' || state === 'refused');
    const changed = messages.change(message.id, {
      ...(isOver ? { state: 'failed', problem } : {}),
      ...(recipients === undefined ? {} : { recipients }),
    });
    if (changed !== undefined) onChanged(changed);
  }

  #arrived(message: ChatMessage, peer: string, state: 'delivered' | 'displayed'): void {
    const { messages, onChanged, advance } = this.#options;
    const before = stateFor(message, peer);
    if (before === undefined || !isForward(before, state, message)) return;
    if (isOwnToOne(message) && before !== 'failed') {
      advance(message.id, state);
      return;
    }
    const recipients = withRecipient(message.recipients, peer, { state });
    const whole = recipients === undefined ? state : least(recipients, message.state);
    const changed = messages.change(message.id, {
      ...(whole === message.state ? {} : { state: whole, problem: undefined }),
      ...(recipients === undefined ? {} : { recipients }),
    });
    if (changed !== undefined) onChanged(changed);
  }

  /** Ours by its own id; a copy of what another device of ours sent by the conversation that it is in. */
  #find(peer: string, messageId: string): ChatMessage | undefined {
    const { messages } = this.#options;
    const own = messages.get(messageId);
    return own?.direction === 'out' ? own : messages.find(peer, 'out', messageId);
  }
}

/** Who is not a recipient, or comes less protected than the message went, proves nothing. */
function problemOf(message: ChatMessage | undefined, { peer, level }: Teller): string | undefined {
  if (message?.direction !== 'out' || stateFor(message, peer) === undefined) return 'unknown message';
  if (message.imported !== undefined) return 'of a message out of an export';
  return isAtLeast(level, message.level) ? undefined : 'less protected than the message';
}

function isOwnToOne({ recipients, fromOtherDevice }: ChatMessage): boolean {
  return recipients === undefined && fromOtherDevice !== true;
}

/** Undefined for somebody to whom it did not go. */
function stateFor({ recipients, conversation, state }: ChatMessage, peer: string): MessageState | undefined {
  if (recipients !== undefined) return recipients.find(({ address }) => address === peer)?.state;
  return conversation === peer ? state : undefined;
}

/** What failed because nobody answered in time may have arrived all the same. */
function isForward(before: MessageState, after: MessageState, { problem }: ChatMessage): boolean {
  if (before === 'failed') return problem?.uncertain === true;
  return order.includes(before) && order.indexOf(after) > order.indexOf(before);
}

function withRecipient(
  recipients: readonly RecipientState[] | undefined,
  peer: string,
  change: Pick<RecipientState, 'state' | 'problem'>,
): readonly RecipientState[] | undefined {
  return recipients?.map((one) => (one.address === peer ? { address: peer, ...change } : one));
}

/** Of a message to several: what holds for all whom it can still reach. */
function least(recipients: readonly RecipientState[], before: MessageState): MessageState {
  const ranks = recipients.map(({ state }) => order.indexOf(state)).filter((rank) => rank >= 0);
  const least = Math.min(...ranks);
  return least > order.indexOf(before) ? (order[least] ?? before) : before;
}

import type { ProtectionLevel } from '../../base/protection-level.ts';
import type { ImdnStatus } from '../../protocol/imdn/index.ts';
import { tryKmsUserIdentity } from '../../protocol/sip/identities.ts';
import { limits } from '../limits.ts';
import type { MessageContent } from '../message-content.ts';
import type { EnginePorts } from '../ports.ts';
import type { NoteStore } from '../store/index.ts';
import { receiptNote, receiptOfNote, type OwedReceipt } from './owed-receipt.ts';
import type { OwedReceipts } from './owed-receipts.ts';
import type { ReceiptSettings } from './receipt-settings.ts';

/** A text whose sender may want to be told, and how well it was protected. */
export interface AnsweredText {
  /** Who proved, or by the network's word is, its sender. */
  readonly peer: string;
  readonly content: MessageContent & { readonly kind: 'text' };
  readonly level: ProtectionLevel;
  readonly sealed: boolean;
  /** False when somebody else is named as its sender in one place or another: nobody is told anything then. */
  readonly isHonest: boolean;
  readonly recipients: number;
}

export interface MessageReceiptsOptions {
  readonly ports: EnginePorts;
  readonly self: string;
  readonly notes: NoteStore;
  readonly settings: ReceiptSettings;
  readonly owed: OwedReceipts;
}

/** Kind of the notes of displays that are to be told, by the id of their message. */
export const awaitedDisplayNote = 'receipt-display';
/** Longer ids and subjects are none that a notification should carry. */
const maxIdCharacters = 256;
const maxSubjectCharacters = 200;
const maxStops = 8;

/** What becomes due to the senders of single messages, and when. */
export class MessageReceipts {
  readonly #options: MessageReceiptsOptions;

  constructor(options: MessageReceiptsOptions) {
    this.#options = options;
    const oldest = options.ports.clock.now() - limits.awaitedDisplayMilliseconds;
    for (const { key, value } of options.notes.list(awaitedDisplayNote)) {
      if ((receiptOfNote(value)?.since ?? 0) < oldest) options.notes.delete(awaitedDisplayNote, key);
    }
  }

  /** It is kept under `id` and will be shown: part of the same transaction. */
  arrived(id: string, text: AnsweredText): void {
    const { settings, owed, notes } = this.#options;
    const { wants } = text.content;
    if (!this.#mayAnswer(text)) return;
    if (wants.delivery) {
      if (settings.tells(text.peer, 'delivery')) owed.owe(this.#receipt(text, 'delivery', 'delivered'));
      else this.#deny(text, 'delivery');
    }
    if (!wants.display) return;
    const tells = settings.tells(text.peer, 'display');
    if (tells) notes.set(awaitedDisplayNote, id, receiptNote(this.#receipt(text, 'display', 'displayed')));
    else this.#deny(text, 'display');
  }

  /** The user has seen them here. */
  displayed(ids: readonly string[]): void {
    const { owed, ports, settings } = this.#options;
    for (const id of ids) {
      const receipt = this.#take(id);
      if (receipt === undefined || !settings.tells(receipt.peer, 'display')) continue;
      owed.owe({ ...receipt, since: ports.clock.now() });
    }
    owed.release();
  }

  /** Another device of ours has told it. */
  displayedElsewhere(id: string): void {
    this.#take(id);
  }

  /** RFC 5438 has nothing for what could not be read: this says it of one whose id is known, without having been asked to. */
  unreadable(peer: string, messageId: string, sentAt: number): void {
    const { owed, ports } = this.#options;
    owed.owe({
      peer,
      messageId,
      kind: 'display',
      status: 'error',
      sealed: true,
      level: 'e2e',
      sentAt,
      route: [],
      since: ports.clock.now(),
    });
    owed.release();
  }

  #take(id: string): OwedReceipt | undefined {
    const { notes } = this.#options;
    const receipt = receiptOfNote(notes.get(awaitedDisplayNote, id));
    if (receipt !== undefined) notes.delete(awaitedDisplayNote, id);
    return receipt;
  }

  #deny(text: AnsweredText, kind: OwedReceipt['kind']): void {
    const { settings, owed } = this.#options;
    if (settings.saysForbidden(text.peer)) owed.owe(this.#receipt(text, kind, 'forbidden'));
  }

  #mayAnswer({ peer, content, level, sealed, isHonest, recipients }: AnsweredText): boolean {
    const isNamed = content.messageId !== undefined && content.messageId.length <= maxIdCharacters;
    const isProven = isHonest && (!sealed || level === 'e2e');
    const isPerson = peer !== this.#options.self && tryKmsUserIdentity(peer) === peer;
    return isNamed && isProven && isPerson && recipients <= limits.receiptRecipients;
  }

  #receipt({ peer, content, level, sealed }: AnsweredText, kind: OwedReceipt['kind'], status: ImdnStatus): OwedReceipt {
    const now = this.#options.ports.clock.now();
    const { messageId = '', sentAt = now, subject, originalTo, recordRoute } = content;
    const written = subject?.replaceAll(/\p{Cc}/gu, ' ').slice(0, maxSubjectCharacters);
    return {
      peer,
      messageId,
      kind,
      status,
      sealed,
      level,
      sentAt,
      ...(written === undefined ? {} : { subject: written }),
      ...(originalTo === undefined ? {} : { originalTo }),
      route: recordRoute.filter((uri) => /^(sips?|tel):/i.test(uri)).slice(0, maxStops),
      since: now,
    };
  }
}

import type { Clock } from '../../base/clock.ts';
import type { Policy } from '../../base/protection-level.ts';
import type { ChatMessage } from '../chat-message.ts';
import type { MessageComposing } from '../composing/message-composing.ts';
import type { Groups } from '../groups/group.ts';
import type { MessageContent } from '../message-content.ts';
import { acceptsIncoming, strictest } from '../policy.ts';
import type { MessageReceipts } from '../receipts/message-receipts.ts';
import type { OwedReceipts } from '../receipts/owed-receipts.ts';
import type { ToldReceipts } from '../receipts/told-receipts.ts';
import { refusal, type Refusal } from '../refusal.ts';
import type { AccountStore } from '../store/index.ts';
import type { Arrival, Arrivals, KeptWith } from './arrivals.ts';
import { placeOf, type OpenedContent, type Place } from './opened-content.ts';

export interface ContentTakerOptions {
  readonly clock: Clock;
  readonly self: string;
  readonly store: AccountStore;
  readonly arrivals: Arrivals;
  readonly groups: Groups;
  readonly receipts: MessageReceipts;
  readonly owed: OwedReceipts;
  readonly told: ToldReceipts;
  readonly composing: MessageComposing;
  readonly policyFor: (peer: string) => Policy;
  /** It stood there unread, and turned out to be no text, or to belong elsewhere. */
  readonly onRemoved: (message: ChatMessage) => void;
  /** A text of this peer came. */
  readonly onText: (peer: string) => void;
}

export type Taken =
  | { readonly outcome: 'taken' }
  /** It came before. */
  | { readonly outcome: 'copy' }
  /** It cannot be told whether it came before: nothing is kept. */
  | { readonly outcome: 'full' }
  | { readonly outcome: 'refused'; readonly problem: Refusal };

/** How it is kept. */
export interface Keeping extends KeptWith {
  /** Id of the message that stands for it already, unread. */
  readonly unreadId?: string;
  /** Id for the message that it becomes. */
  readonly id?: string;
}

export const tooManyToTell = 'So many messages came that it cannot be told whether this one had come before';
export const namesAnother = 'The message was encrypted end to end, but it names another sender than the network does';
const originUnproven = 'The message was encrypted, but nothing proves who sent it';

/** Brings what came in by a SIP MESSAGE to where it belongs: texts into the store, notifications to whom they tell something. */
export class ContentTaker {
  readonly #options: ContentTakerOptions;

  constructor(options: ContentTakerOptions) {
    this.#options = options;
  }

  /** Resolves when it is durable. @throws StoreError when it could not be kept. */
  async take(opened: OpenedContent, keeping: Keeping = {}): Promise<Taken> {
    const { content } = opened;
    if (content.kind === 'text') return this.#takeText(opened, content, keeping);
    const isCopy = this.#noteSeen(opened.peer, keeping);
    if (!isCopy) this.#takeNotification(opened, content);
    return { outcome: isCopy ? 'copy' : 'taken' };
  }

  async #takeText(
    opened: OpenedContent,
    content: MessageContent & { readonly kind: 'text' },
    keeping: Keeping,
  ): Promise<Taken> {
    const { self, store, arrivals, groups, receipts, owed, told, onText } = this.#options;
    const { peer, level, sealed, isHonest, isSenderSure, recipients } = opened;
    const isOwnCopy = peer === self && isSenderSure && isHonest && recipients.some((recipient) => recipient !== self);
    const answered = { peer, content, level, sealed, isHonest, recipients: recipients.length };
    const place = placeOf(opened, isOwnCopy);
    const problem = this.#problemOf(opened, isOwnCopy ? this.#demandedIn(place) : this.#options.policyFor(peer));
    if (problem !== undefined) {
      if (keeping.id !== undefined) store.sealed.remove(keeping.id);
      return { outcome: 'refused', problem };
    }
    // The network may copy to this device too what this device has sent.
    if (isOwnCopy && store.messages.get(content.messageId ?? '')?.direction === 'out') return { outcome: 'copy' };
    const arrival: Arrival = {
      ...(keeping.id === undefined ? {} : { id: keeping.id }),
      peer,
      text: content.text,
      level,
      evidence: opened.evidence,
      ...(place.conversation === peer ? {} : { conversation: place.conversation }),
      ...(content.messageId === undefined ? {} : { messageId: content.messageId }),
      ...(content.subject === undefined ? {} : { subject: content.subject }),
      ...(content.sentAt === undefined ? {} : { sentAt: content.sentAt }),
      ...(isOwnCopy ? { sentTo: sentTo(recipients, self, place.conversation) } : {}),
    };
    const together: KeptWith = {
      ...keeping,
      also: (message: ChatMessage) => {
        if (place.members !== undefined) groups.remember(place.members);
        if (!isOwnCopy) receipts.arrived(message.id, answered);
        keeping.also?.(message);
      },
    };
    const kept =
      keeping.unreadId === undefined || place.conversation !== peer
        ? await arrivals.keep('message', this.#instead(arrival, keeping), together)
        : await arrivals.change(keeping.unreadId, arrival, together);
    if (kept.outcome !== 'kept') return kept;
    if (isOwnCopy) told.copyArrived(content.messageId, place.conversation);
    else onText(peer);
    owed.release();
    return { outcome: 'taken' };
  }

  /** What stood in another conversation while nobody could tell where it belongs. */
  #instead(arrival: Arrival, { unreadId }: Keeping): Arrival {
    if (unreadId !== undefined) this.#remove(unreadId);
    return arrival;
  }

  /** Why a text that can be read is not shown: who sent it is in doubt, or it is too weakly protected, where the policy allows none. */
  #problemOf({ level, evidence, sealed }: OpenedContent, required: Policy): Refusal | undefined {
    if (acceptsIncoming(required, level)) return undefined;
    const isProven = evidence.kind === 'message-psk-mime' && evidence.origin === 'proven';
    const happened = sealed ? { happened: isProven ? namesAnother : originUnproven } : {};
    return refusal('policy-not-met', 'received', { ...happened, reached: level, required });
  }

  /** What we are said to have written in a conversation has to prove what it demands: else others speak in our name there. */
  #demandedIn({ conversation, members }: Place): Policy {
    const { self, policyFor } = this.#options;
    return strictest((members ?? [conversation]).filter((member) => member !== self).map(policyFor));
  }

  #takeNotification({ peer, content, level, isHonest, isSenderSure }: OpenedContent, kind: MessageContent): void {
    const { self, told, composing } = this.#options;
    if (!isHonest) return;
    if (peer === self) {
      if (isSenderSure) this.#takeOwn(content);
    } else if (kind.kind === 'receipts') told.told({ peer, level }, kind.receipts);
    else if (kind.kind === 'composing') composing.told(peer, level, kind.status);
  }

  /** Another device of ours has told a sender that the user saw a message: this one need not tell it again. */
  #takeOwn(content: MessageContent): void {
    if (content.kind !== 'receipts') return;
    const { store, receipts } = this.#options;
    const [to = ''] = content.to;
    for (const { kind, status, messageId } of content.receipts) {
      const message =
        kind === 'display' && status === 'displayed' ? store.messages.find(to, 'in', messageId) : undefined;
      if (message !== undefined) receipts.displayedElsewhere(message.id);
    }
  }

  #remove(id: string): void {
    const removed = this.#options.store.messages.remove(id);
    if (removed !== undefined) this.#options.onRemoved(removed);
  }

  /** True for what came before. Notifications have no place of their own in the store. */
  #noteSeen(peer: string, { seen, id, unreadId }: Keeping): boolean {
    const { store, clock } = this.#options;
    return store.transaction(() => {
      if (id !== undefined) store.sealed.remove(id);
      // It stood there as something that could not be read.
      if (unreadId !== undefined) this.#remove(unreadId);
      return seen !== undefined && store.seen.add(seen.key, seen.until, seen.now ?? clock.now(), peer) === 'replayed';
    });
  }
}

function sentTo(recipients: readonly string[], self: string, conversation: string): NonNullable<Arrival['sentTo']> {
  const others = recipients.filter((recipient) => recipient !== self);
  const [to = conversation] = others;
  return others.length > 1 ? { to: conversation, recipients: others } : { to };
}

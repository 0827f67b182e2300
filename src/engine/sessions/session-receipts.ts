import type { Logger } from '../../base/log.ts';
import { isAtLeast, type ProtectionLevel } from '../../base/protection-level.ts';
import type { ImdnPayload } from '../../protocol/imdn/index.ts';
import type { ChatMessage, MessageState, SessionView } from '../chat-message.ts';
import { limits } from '../limits.ts';

/** A text that came in and whose sender wants to know when it was seen. */
export interface AwaitedDisplay {
  /** Our id of the message. */
  readonly id: string;
  readonly peer: string;
  /** The session that brought it, and what protected it there. */
  readonly sessionId: string;
  readonly level: ProtectionLevel;
  /** The sender's id of it. */
  readonly messageId: string;
}

/** Remembers which displays are to be told, and each only once. The oldest are forgotten first. */
export class AwaitedDisplays {
  readonly #awaited = new Map<string, AwaitedDisplay>();

  add(display: AwaitedDisplay): void {
    this.#awaited.set(display.id, display);
    const [oldest] = this.#awaited.keys();
    if (this.#awaited.size > limits.awaitedDisplays && oldest !== undefined) this.#awaited.delete(oldest);
  }

  /** What the user has seen when the messages `ids` of `peer` were on the screen, oldest first. */
  take(peer: string, ids: readonly string[]): readonly AwaitedDisplay[] {
    const seen: AwaitedDisplay[] = [];
    for (const id of ids) {
      const display = this.#awaited.get(id);
      if (display?.peer !== peer) continue;
      this.#awaited.delete(id);
      seen.push(display);
    }
    return seen;
  }
}

export interface SentReceiptsOptions {
  readonly log: Logger;
  readonly find: (id: string) => ChatMessage | undefined;
  readonly change: (id: string, state: MessageState) => void;
}

const order: readonly MessageState[] = ['sent', 'accepted', 'delivered', 'displayed'];

/** What the peers' devices tell of texts of ours. States go forwards only. */
export class SentReceipts {
  readonly #options: SentReceiptsOptions;
  /** Texts on their way: what is told of them before they are kept. */
  readonly #early = new Map<string, { readonly session: SessionView; readonly receipt: ImdnPayload }[]>();

  constructor(options: SentReceiptsOptions) {
    this.#options = options;
  }

  begin(id: string): void {
    this.#early.set(id, []);
  }

  /** The text was given up. */
  abandon(id: string): void {
    this.#early.delete(id);
  }

  /** The text is kept now. */
  finish(id: string): void {
    const early = this.#early.get(id) ?? [];
    this.#early.delete(id);
    for (const { session, receipt } of early) this.told(session, receipt);
  }

  told(session: SessionView, receipt: ImdnPayload): void {
    const early = this.#early.get(receipt.messageId);
    if (early !== undefined) {
      // One of each kind is all that there is to tell.
      if (early.length < 2) early.push({ session, receipt });
      return;
    }
    const { log, find, change } = this.#options;
    const message = find(receipt.messageId);
    const problem = this.#problemOf(message, session);
    if (message === undefined || problem !== undefined) {
      log.log('debug', 'receipt.ignored', { session: session.id, reason: problem ?? 'unknown message' });
      return;
    }
    const { status } = receipt;
    if (status !== 'delivered' && status !== 'displayed') {
      log.log('debug', 'receipt.negative', { session: session.id, status });
    } else if (order.indexOf(message.state) >= 0 && order.indexOf(status) > order.indexOf(message.state)) {
      change(message.id, status);
    }
  }

  /** Who is not the recipient, or comes by a weaker session than the text went by, proves nothing. */
  #problemOf(message: ChatMessage | undefined, { peer, level }: SessionView): string | undefined {
    if (message?.direction !== 'out' || message.way !== 'msrp' || message.conversation !== peer)
      return 'unknown message';
    return isAtLeast(level, message.level) ? undefined : 'less protected than the message';
  }
}

import { utf8 } from '../../base/bytes.ts';
import { isAtLeast, protectionLevels, type ProtectionLevel } from '../../base/protection-level.ts';
import { randomId } from '../../base/random.ts';
import { sha256 } from '../../crypto/digest.ts';
import type { ChatMessage, MessageWay } from '../chat-message.ts';
import type { Evidence } from '../evidence.ts';
import { limits } from '../limits.ts';
import type { EnginePorts } from '../ports.ts';
import type { Refusal } from '../refusal.ts';
import type { AccountStore, SealedMessage } from '../store/index.ts';

/** A message that came in, of whichever way; `text` is empty when it could not be read, and `problem` then says why. */
export interface Arrival {
  /** KMS user identity of the sender, as far as known. */
  readonly peer: string;
  readonly text: string;
  readonly level: ProtectionLevel;
  readonly evidence: Evidence;
  readonly problem?: Refusal;
  /** `imdn.Message-ID`, by which copies are told. */
  readonly messageId?: string;
  readonly subject?: string;
  /** By the sender's word, milliseconds since 1970. */
  readonly sentAt?: number;
  /** Id under which it is kept; a fresh one when absent. */
  readonly id?: string;
  /** Where it is shown when that is not the conversation with `peer`: a group. */
  readonly conversation?: string;
  /** Another device of ours sent it: to whom, and each of them where they are several. */
  readonly sentTo?: { readonly to: string; readonly recipients?: readonly string[] };
}

/** What is kept together with an arrival, all or nothing. */
export interface KeptWith {
  /** A key whose first use this has to be, such as the replay key of a ticket. */
  readonly seen?: { readonly key: Uint8Array; readonly until: number; readonly now?: number };
  /** The message as it came, for when its key can be had. */
  readonly sealed?: Omit<SealedMessage, 'id'>;
  /** Until when copies of it can be told by the Message-ID, milliseconds since 1970. */
  readonly rememberUntil?: number;
  /** More to write, in the same transaction. */
  readonly also?: (message: ChatMessage) => void;
}

export type Kept =
  | { readonly outcome: 'kept'; readonly message: ChatMessage }
  /** It had come before and is kept already. */
  | { readonly outcome: 'copy' }
  /** So much came that it cannot be told whether it had come before: nothing is kept. */
  | { readonly outcome: 'full' };

export interface ArrivalsOptions {
  readonly ports: EnginePorts;
  readonly store: AccountStore;
  /** KMS user identity of the account. */
  readonly self: string;
  /** It is durable, and may be shown. */
  readonly onReceived: (message: ChatMessage) => void;
  readonly onChanged: (message: ChatMessage) => void;
}

/** Puts what comes in into the store, each message once, whichever way and however often it comes. */
export class Arrivals {
  readonly #options: ArrivalsOptions;
  /** The storage failed at them, and may have them after all. */
  readonly #untold = new Set<string>();

  constructor(options: ArrivalsOptions) {
    this.#options = options;
  }

  /**
   * Resolves when it survives the end of the program, also for a copy: only then may its sender be told that it arrived.
   * @throws StoreError when it could not be kept: the sender must not be told that it arrived.
   */
  async keep(way: MessageWay, arrival: Arrival, together: KeptWith = {}): Promise<Kept> {
    const { store, onReceived, onChanged } = this.#options;
    const kept = store.transaction(() => this.#keep(way, arrival, together));
    try {
      await store.durable();
    } catch (error) {
      if (kept.outcome === 'kept') this.#untold.add(kept.message.id);
      throw error;
    }
    this.#tellUntold();
    if (kept.outcome === 'kept') onReceived(kept.message);
    if (kept.outcome !== 'raised') return kept;
    onChanged(kept.message);
    return { outcome: 'copy' };
  }

  /**
   * A kept message that could not be read at first: read now, or given up for a new reason.
   * @throws StoreError
   */
  async change(id: string, arrival: Arrival, together: KeptWith = {}): Promise<Kept> {
    const { ports, store, onChanged } = this.#options;
    const kept = store.transaction((): Kept => {
      const isReadable = arrival.problem === undefined;
      if (isReadable && this.#isCopy(arrival, together)) return { outcome: 'copy' };
      if (isReadable && store.seen.isFull(ports.clock.now(), arrival.peer)) return { outcome: 'full' };
      if (isReadable) this.#remember(arrival, together);
      const { text, level, evidence, problem, messageId } = arrival;
      const changed = store.messages.change(id, {
        text,
        level,
        evidence,
        state: isReadable ? 'received' : 'undecryptable',
        problem,
        ...(messageId === undefined ? {} : { messageId }),
      });
      if (changed === undefined) return { outcome: 'copy' };
      together.also?.(changed);
      return { outcome: 'kept', message: changed };
    });
    await store.durable();
    if (kept.outcome === 'kept') onChanged(kept.message);
    return kept;
  }

  /** What was not durable when it was to be told, and is by now. */
  #tellUntold(): void {
    const { store, onReceived } = this.#options;
    for (const id of [...this.#untold]) {
      this.#untold.delete(id);
      const message = store.messages.get(id);
      if (message !== undefined) onReceived(message);
    }
  }

  /** What cannot be read stays so, for this reason. */
  giveUp(id: string, problem: Refusal): void {
    const { store, onChanged } = this.#options;
    const before = store.messages.get(id);
    if (before?.state !== 'undecryptable' || before.problem?.explanation === problem.explanation) return;
    const changed = store.messages.change(id, { problem });
    if (changed !== undefined) onChanged(changed);
  }

  #keep(way: MessageWay, arrival: Arrival, together: KeptWith) {
    const { ports, store } = this.#options;
    if (this.#isCopy(arrival, together)) return { outcome: 'copy' } as const;
    const weaker = this.#weakerCopyOf(arrival);
    const now = ports.clock.now();
    if (store.seen.isFull(now, arrival.peer)) return { outcome: 'full' } as const;
    this.#remember(arrival, together);
    const unreadable = this.#unreadableCopyOf(arrival);
    if (unreadable !== undefined) {
      const { text, level, evidence } = arrival;
      const state = 'received';
      const read = store.messages.change(unreadable.id, { text, level, evidence, state, problem: undefined });
      if (read !== undefined) {
        store.sealed.remove(read.id);
        together.also?.(read);
        return { outcome: 'raised', message: read } as const;
      }
    }
    if (weaker !== undefined) {
      const { level, evidence } = arrival;
      const raised = store.messages.change(weaker.id, { level, evidence });
      if (raised !== undefined) return { outcome: 'raised', message: raised } as const;
    }
    const message = this.#message(way, arrival);
    store.messages.add(message);
    together.also?.(message);
    if (together.sealed !== undefined) store.sealed.put({ ...together.sealed, id: message.id });
    return { outcome: 'kept', message } as const;
  }

  /**
   * A copy has the Message-ID of a message that came with the same or better protection: one that proves less cannot make
   * one that proves more look like its copy.
   */
  #isCopy({ peer, level, messageId }: Arrival, { seen }: KeptWith): boolean {
    const { ports, store } = this.#options;
    const now = ports.clock.now();
    if (seen !== undefined && store.seen.has(seen.key, now)) return true;
    if (messageId === undefined) return false;
    return protectionLevels.some(
      (known) => isAtLeast(known, level) && store.seen.has(textKey(known, peer, messageId), now),
    );
  }

  /** What stands there as unreadable, by the id that its sender gave it in clear: it was sent again. */
  #unreadableCopyOf({
    peer,
    conversation = peer,
    messageId,
    problem,
    sentTo,
    evidence,
  }: Arrival): ChatMessage | undefined {
    if (messageId === undefined || problem !== undefined || sentTo !== undefined) return undefined;
    // That id stood there in clear: whoever read it could claim it for something in clear, and the true one would be gone.
    if (evidence.kind !== 'message-psk-mime') return undefined;
    const { messages } = this.#options.store;
    // Nobody could tell that it was for a group before it could be read.
    for (const place of new Set([conversation, peer])) {
      const found = messages.find(place, 'in', messageId);
      if (found?.state !== 'undecryptable' || found.from !== peer || found.imported !== undefined) continue;
      if (place === conversation) return found;
      messages.remove(found.id);
    }
    return undefined;
  }

  /** What is shown already as less protected, word for word: it is not shown again but for what it now proves to be. */
  #weakerCopyOf({ peer, conversation = peer, text, level, messageId, problem }: Arrival): ChatMessage | undefined {
    if (messageId === undefined || problem !== undefined) return undefined;
    const shown = this.#options.store.messages.find(conversation, 'in', messageId);
    if (shown?.state !== 'received' || shown.text !== text || isAtLeast(shown.level, level)) return undefined;
    // In a group another one may have written it, and an export is nobody's word: what proves this proves nothing of those.
    return shown.from === peer && shown.imported === undefined ? shown : undefined;
  }

  #remember({ peer, level, messageId, problem }: Arrival, { seen, rememberUntil }: KeptWith): void {
    const { ports, store } = this.#options;
    const now = ports.clock.now();
    if (seen !== undefined) store.seen.add(seen.key, seen.until, now, peer);
    if (messageId === undefined || problem !== undefined) return;
    const until = rememberUntil ?? now + limits.rememberedMessageMilliseconds;
    store.seen.add(textKey(level, peer, messageId), until, now, peer);
  }

  #message(way: MessageWay, arrival: Arrival): ChatMessage {
    const { ports, self } = this.#options;
    const { peer, text, level, evidence, problem, messageId, subject, sentAt, sentTo } = arrival;
    const recipients = sentTo?.recipients?.map((address) => ({ address, state: 'accepted' }) as const);
    const readable = sentTo === undefined ? 'received' : 'accepted';
    return {
      id: arrival.id ?? randomId(ports.random, 12),
      conversation: arrival.conversation ?? peer,
      direction: sentTo === undefined ? 'in' : 'out',
      from: peer,
      to: sentTo?.to ?? self,
      text,
      ...(subject === undefined ? {} : { subject }),
      ...(sentAt === undefined ? {} : { sentAt }),
      at: ports.clock.now(),
      way,
      level,
      evidence,
      state: problem === undefined ? readable : 'undecryptable',
      ...(problem === undefined ? {} : { problem }),
      ...(messageId === undefined ? {} : { messageId }),
      ...(sentTo === undefined ? {} : { fromOtherDevice: true }),
      ...(recipients === undefined ? {} : { recipients }),
    };
  }
}

function textKey(level: ProtectionLevel, peer: string, messageId: string): Uint8Array {
  return sha256(utf8(`text ${level} ${peer} ${messageId}`));
}

import type { Logger } from '../../base/log.ts';
import type { ChatMessage } from '../chat-message.ts';
import { limits } from '../limits.ts';
import type { NoteStore } from '../store/index.ts';

export interface ResendsOptions {
  readonly log: Logger;
  readonly notes: NoteStore;
  /** Whether a message goes again to this recipient without a question to the user. */
  readonly isAllowed: (peer: string) => boolean;
  /** Seals it anew and sends it, by the same Message-ID. Rejects when that did not go. */
  readonly send: (message: ChatMessage, peer: string) => Promise<void>;
  /** It will not go again by itself. */
  readonly onGivenUp: (message: ChatMessage, peer: string) => void;
  /** Tells the sender of a message that it could not be read. */
  readonly tell: (peer: string, messageId: string, sentAt: number) => void;
}

const answered = 'resent';
const asked = 'resend-asked';
/** Kinds of notes whose keys begin with the id of a message. */
export const resendNotes = [answered, asked] as const;

/** Messages that could not be read are sent again: what is asked of us, and what we ask of others; each a few times only. */
export class Resends {
  readonly #options: ResendsOptions;
  readonly #running = new Set<string>();

  constructor(options: ResendsOptions) {
    this.#options = options;
  }

  /** The recipient's device says that it could not read this message of ours. Never rejects. */
  async answer(message: ChatMessage, peer: string): Promise<void> {
    const { notes, log, isAllowed, send, onGivenUp } = this.#options;
    const key = `${message.id} ${peer}`;
    if (this.#running.has(key)) return;
    // What was not sealed cannot have been unreadable for want of a key.
    const isSealed = message.evidence?.kind === 'message-psk-mime' && message.fromOtherDevice !== true;
    const times = countOf(notes, answered, key);
    if (!isSealed || !isAllowed(peer) || times >= limits.resends || message.text === '') {
      onGivenUp(message, peer);
      return;
    }
    notes.set(answered, key, times + 1);
    this.#running.add(key);
    try {
      await send(message, peer);
      log.log('info', 'message.resent', { times: times + 1 });
    } catch (error) {
      log.log('info', 'message.not-resent', { reason: String(error) });
      onGivenUp(message, peer);
    } finally {
      this.#running.delete(key);
    }
  }

  /**
   * Asks for a message that could not be read.
   * @returns `asked`, or why not: it can be read or is not here, its sender named no id in clear, or it was asked often enough
   */
  ask(message: ChatMessage | undefined): 'asked' | 'not-unreadable' | 'without-id' | 'asked-enough' {
    const { notes, tell } = this.#options;
    if (message?.direction !== 'in' || message.state !== 'undecryptable') return 'not-unreadable';
    if (message.messageId === undefined) return 'without-id';
    const times = countOf(notes, asked, message.id);
    if (times >= limits.resendAsks) return 'asked-enough';
    notes.set(asked, message.id, times + 1);
    tell(message.from, message.messageId, message.sentAt ?? message.at);
    return 'asked';
  }
}

function countOf(notes: NoteStore, kind: string, key: string): number {
  const count = notes.get(kind, key);
  return typeof count === 'number' ? count : 0;
}

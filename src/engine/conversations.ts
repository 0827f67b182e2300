import type { ChatMessage } from './chat-message.ts';
import { limits } from './limits.ts';

/** `problem: undefined` takes the problem away. */
export type MessagePatch = Partial<Pick<ChatMessage, 'state' | 'level' | 'evidence' | 'text'>> & {
  readonly problem?: ChatMessage['problem'] | undefined;
};

/** The messages of one account in memory, by peer. The oldest go when a limit is reached. */
export class Conversations {
  readonly #messages = new Map<string, ChatMessage[]>();
  readonly #byId = new Map<string, ChatMessage>();

  add(message: ChatMessage): void {
    const list = this.#messages.get(message.conversation) ?? [];
    // Map order is the order of last use: re-inserting makes the first key the longest idle conversation.
    this.#messages.delete(message.conversation);
    this.#messages.set(message.conversation, list);
    list.push(message);
    this.#byId.set(message.id, message);
    while (list.length > limits.messagesPerConversation) this.#forget(list.shift());
    if (this.#messages.size > limits.conversations) {
      const [idle] = this.#messages.keys();
      if (idle !== undefined) this.#dropConversation(idle);
    }
  }

  /** Returns the changed message, or undefined when it is no longer kept. */
  change(id: string, patch: MessagePatch): ChatMessage | undefined {
    const before = this.#byId.get(id);
    if (before === undefined) return undefined;
    const { problem, ...changed } = { ...before, ...patch };
    const after = problem === undefined ? changed : { ...changed, problem };
    this.#byId.set(id, after);
    const list = this.#messages.get(before.conversation) ?? [];
    list[list.lastIndexOf(before)] = after;
    return after;
  }

  /** Returns the removed message, or undefined when it is no longer kept. */
  remove(id: string): ChatMessage | undefined {
    const message = this.#byId.get(id);
    if (message === undefined) return undefined;
    this.#forget(message);
    const list = this.#messages.get(message.conversation) ?? [];
    list.splice(list.lastIndexOf(message), 1);
    return message;
  }

  get(id: string): ChatMessage | undefined {
    return this.#byId.get(id);
  }

  /** Oldest first. */
  of(peer: string): readonly ChatMessage[] {
    return [...(this.#messages.get(peer) ?? [])];
  }

  peers(): readonly string[] {
    return [...this.#messages.keys()];
  }

  #forget(message: ChatMessage | undefined): void {
    if (message !== undefined) this.#byId.delete(message.id);
  }

  #dropConversation(peer: string): void {
    for (const message of this.#messages.get(peer) ?? []) this.#forget(message);
    this.#messages.delete(peer);
  }
}

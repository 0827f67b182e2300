import type { Clock } from '../../base/clock.ts';
import { isAtLeast, type Policy, type ProtectionLevel } from '../../base/protection-level.ts';
import type { ChatMessage } from '../chat-message.ts';
import type { Refusal } from '../refusal.ts';
import type { AccountStore, MessagePatch, OutboxEntry } from '../store/index.ts';
import type { Carried, Protected } from './carrier.ts';
import { advance, isOutgoingState, isSettled, type OutgoingEvent } from './outgoing-states.ts';

export interface OutboxRecordOptions {
  readonly clock: Clock;
  readonly store: AccountStore;
  /** A message came to be or changed. */
  readonly onChange: (message: ChatMessage) => void;
}

/** Writes what becomes of messages of ours: the message and what is still owed to it always together. */
export class OutboxRecord {
  readonly #options: OutboxRecordOptions;

  constructor(options: OutboxRecordOptions) {
    this.#options = options;
  }

  message(id: string): ChatMessage | undefined {
    return this.#options.store.messages.get(id);
  }

  entries(): readonly OutboxEntry[] {
    return this.#options.store.outbox.list();
  }

  /** @throws StoreError */
  accept(message: ChatMessage, owed: Omit<OutboxEntry, 'id' | 'sequence' | 'attempts' | 'uncertain'>): OutboxEntry {
    const { store, onChange } = this.#options;
    const entry = store.transaction(() => {
      const sequence = store.outbox.nextSequence();
      const created: OutboxEntry = { ...owed, id: message.id, sequence, attempts: 0, uncertain: false };
      store.messages.add(message);
      store.outbox.put(created);
      return created;
    });
    onChange(message);
    return entry;
  }

  /** Octets of it may leave from now on; durable when the store says so. */
  left(entry: OutboxEntry, { level, evidence }: Protected): OutboxEntry {
    const gone = { ...entry, attempts: entry.attempts + 1, uncertain: true };
    this.#write(entry.id, 'left', { level, evidence, problem: undefined }, gone);
    return gone;
  }

  /** It is tried again. */
  waits(entry: OutboxEntry, problem: Refusal): void {
    this.#write(entry.id, undefined, { problem }, entry);
  }

  /** Another word for why it waits; told only when it is another one. */
  explains(id: string, problem: Refusal): void {
    if (this.message(id)?.problem?.explanation === problem.explanation) return;
    this.#write(id, undefined, { problem });
  }

  carried(id: string, { level, evidence, state }: Carried): void {
    this.#write(id, state, { level, evidence, problem: undefined }, 'settled');
  }

  ended(id: string, event: 'failed' | 'refused', problem: Refusal): void {
    this.#write(id, event, { problem }, 'settled');
  }

  /** What the peer's device says of it. False when it moves nothing. */
  told(id: string, event: 'delivered' | 'displayed' | 'failed', problem?: Refusal): boolean {
    const message = this.message(id);
    if (message === undefined || !isOutgoingState(message.state)) return false;
    if (advance(message.state, event) === message.state) return false;
    this.#write(id, event, { problem }, 'settled');
    return true;
  }

  /** The message and all that was owed to it. */
  remove(id: string): ChatMessage | undefined {
    const { store } = this.#options;
    return store.transaction(() => {
      store.outbox.remove(id);
      return store.messages.remove(id);
    });
  }

  forget(id: string): void {
    this.#options.store.outbox.remove(id);
  }

  /** A stricter policy raises what a waiting message may leave at; a weaker one lowers nothing. */
  raise(entry: OutboxEntry, policy: Policy, floor: ProtectionLevel): OutboxEntry {
    if (isAtLeast(entry.floor, floor)) return entry;
    const raised = { ...entry, policy, floor };
    this.#options.store.outbox.put(raised);
    return raised;
  }

  #write(id: string, event: OutgoingEvent | undefined, patch: MessagePatch, entry?: OutboxEntry | 'settled'): void {
    const { store, onChange } = this.#options;
    const changed = store.transaction(() => {
      const before = store.messages.get(id);
      if (before === undefined) store.outbox.remove(id);
      if (before === undefined || !isOutgoingState(before.state)) return undefined;
      const state = event === undefined ? before.state : advance(before.state, event);
      // What comes after the end, or after the receipt, says nothing new.
      if (isSettled(before.state) && state === before.state) return undefined;
      if (entry === 'settled') store.outbox.remove(id);
      else if (entry !== undefined) store.outbox.put(entry);
      return store.messages.change(id, { ...patch, state });
    });
    if (changed !== undefined) onChange(changed);
  }
}

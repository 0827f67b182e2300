import { limits } from '../limits.ts';
import type { Note, NoteStore } from './note-store.ts';
import type { OutboxEntry, OutboxStore } from './outbox-store.ts';
import type { SealedMessage, SealedStore } from './sealed-store.ts';
import type { SeenStore } from './seen-store.ts';
import { checkSealed, noteText, seenKeyText } from './store-values.ts';
import type { UndoLog } from './undo-log.ts';

/** The parts of a store in memory beside the messages, each over one map. */

/** @param highest of the sequence numbers, under the empty key */
export function createMemoryOutbox(
  entries: Map<string, OutboxEntry>,
  highest: Map<string, number>,
  undo: UndoLog,
): OutboxStore {
  const highestNow = (): number => highest.get('') ?? 0;
  return {
    put(entry) {
      undo.put(highest, '', Math.max(highestNow(), entry.sequence));
      undo.put(entries, entry.id, entry);
    },
    remove: (id) => undo.put(entries, id, undefined),
    get: (id) => entries.get(id),
    list: (peer) =>
      [...entries.values()]
        .filter((entry) => peer === undefined || entry.peer === peer)
        .sort((one, other) => one.sequence - other.sequence),
    count: () => entries.size,
    nextSequence: () => highestNow() + 1,
  };
}

/** A key of what was seen. */
export interface SeenEntry {
  /** The time after which it is forgotten, milliseconds since 1970. */
  readonly until: number;
  readonly sender: string;
}

/** @param counts how many entries each sender has */
export function createMemorySeen(
  entries: Map<string, SeenEntry>,
  counts: Map<string, number>,
  undo: UndoLog,
): SeenStore {
  const isKnown = (key: string, now: number): boolean => (entries.get(key)?.until ?? -Infinity) > now;
  const put = (key: string, entry: SeenEntry | undefined): void => {
    const before = entries.get(key);
    undo.put(entries, key, entry);
    for (const [of, change] of [
      [before, -1],
      [entry, 1],
    ] as const) {
      if (of === undefined) continue;
      const count = (counts.get(of.sender) ?? 0) + change;
      undo.put(counts, of.sender, count > 0 ? count : undefined);
    }
  };
  const isFull = (now: number, sender: string): boolean => {
    const reaches = (): boolean =>
      entries.size >= limits.seenEntries || (counts.get(sender) ?? 0) >= limits.seenEntriesOfSender;
    if (!reaches()) return false;
    for (const [key, { until }] of [...entries]) if (until <= now) put(key, undefined);
    return reaches();
  };
  return {
    add(key, until, now, sender) {
      const text = seenKeyText(key);
      if (isKnown(text, now)) return 'replayed';
      if (isFull(now, sender)) return 'full';
      put(text, { until, sender });
      return 'fresh';
    },
    has: (key, now) => isKnown(seenKeyText(key), now),
    isFull,
  };
}

export function createMemorySealed(entries: Map<string, SealedMessage>, undo: UndoLog): SealedStore {
  return {
    put(message) {
      checkSealed(message);
      undo.put(entries, message.id, { ...message, body: Uint8Array.from(message.body) });
    },
    get: (id) => entries.get(id),
    remove: (id) => undo.put(entries, id, undefined),
    list: () => [...entries.values()].sort((one, other) => one.receivedAt - other.receivedAt),
  };
}

/** @param entries JSON by kind and key */
export function createMemoryNotes(entries: Map<string, Map<string, string>>, undo: UndoLog): NoteStore {
  return {
    get(kind, key) {
      const text = entries.get(kind)?.get(key);
      return text === undefined ? undefined : parsed(text);
    },
    set(kind, key, value) {
      const text = noteText(value);
      const notes = entries.get(kind) ?? new Map<string, string>();
      undo.put(entries, kind, notes);
      undo.put(notes, key, text);
    },
    delete(kind, key) {
      const notes = entries.get(kind);
      if (notes !== undefined) undo.put(notes, key, undefined);
    },
    list: (kind, prefix = '') =>
      [...(entries.get(kind) ?? [])]
        .filter(([key]) => key.startsWith(prefix))
        .sort(([one], [other]) => (one < other ? -1 : 1))
        .map(([key, text]) => ({ key, value: parsed(text) })),
  };
}

const parsed = (text: string): Note => JSON.parse(text) as Note;

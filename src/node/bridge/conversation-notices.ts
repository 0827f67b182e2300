import { conversationNotice, type ConversationNotice } from '../../contract/index.ts';

/** Where notices outlive the program: the notes of an account's store. */
export interface NoticeNotes {
  list(kind: string): readonly { readonly key: string; readonly value: unknown }[];
  set(kind: string, key: string, value: ConversationNotice): void;
  delete(kind: string, key: string): void;
}

const kind = 'screens.notice';
const perConversation = 20;

/** What conversations of one account were told, until the user has dismissed it. */
export class ConversationNotices {
  readonly #newId: () => string;
  readonly #notes: NoticeNotes | undefined;
  readonly #notices = new Map<string, readonly ConversationNotice[]>();

  constructor(newId: () => string, notes?: NoticeNotes) {
    this.#newId = newId;
    this.#notes = notes;
    for (const { key, value } of notes?.list(kind) ?? []) {
      const notice = conversationNotice.safeParse(value);
      if (notice.success) this.#append(key.slice(0, key.indexOf(' ')), notice.data);
    }
  }

  /** Oldest first. */
  of(peer: string): readonly ConversationNotice[] {
    return this.#notices.get(peer) ?? [];
  }

  add(peer: string, notice: Omit<ConversationNotice, 'id'>): void {
    const kept = { ...notice, id: this.#newId() };
    this.#append(peer, kept);
    this.#notes?.set(kind, keyOf(peer, kept.id), kept);
    for (const { id } of this.of(peer).slice(0, -perConversation)) this.remove(peer, id);
  }

  remove(peer: string, id: string): void {
    const rest = this.of(peer).filter((notice) => notice.id !== id);
    this.#notices.set(peer, rest);
    this.#notes?.delete(kind, keyOf(peer, id));
  }

  removeAll(peer: string): void {
    for (const { id } of this.of(peer)) this.remove(peer, id);
  }

  #append(peer: string, notice: ConversationNotice): void {
    const all = [...this.of(peer), notice].sort((one, other) => one.at - other.at);
    this.#notices.set(peer, all);
  }
}

/** No address has a space in it. */
function keyOf(peer: string, id: string): string {
  return `${peer} ${id}`;
}

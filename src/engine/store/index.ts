export { createMemoryStore } from './memory-store.ts';
export type { ConversationSummary, MessagePage, MessagePatch, MessageStore } from './message-store.ts';
export type { Note, NoteStore } from './note-store.ts';
export type { OutboxEntry, OutboxStore } from './outbox-store.ts';
export { keepRetention, retentionOf, setRetention } from './retention.ts';
export type { SealedMessage, SealedStore } from './sealed-store.ts';
export type { SeenStore } from './seen-store.ts';
export {
  StoreError,
  type StoreErrorCode,
  type AccountStore,
  type SearchHit,
  type SearchPage,
  type SearchQuery,
  type Store,
} from './store.ts';
export { findWords, searchWords } from './search-words.ts';
export { checkedHits, checkSealed, noteText, patched, seenKeyText } from './store-values.ts';

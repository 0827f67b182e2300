import { createStore, type StoreApi } from 'zustand/vanilla';
import type { MessageWay } from '../src/contract/index.ts';
import { keyText, type ConversationKey } from './bridge/state.ts';

export interface Draft {
  readonly text: string;
  readonly way: MessageWay;
}

/** What this window shows and what its user is about to write. Forgotten on reload. */
export interface ScreenState {
  readonly accountId: string | undefined;
  readonly selected: ConversationKey | undefined;
  /** The message at which the selected conversation is to be opened. */
  readonly target: string | undefined;
  /** By `keyText`. */
  readonly drafts: Readonly<Record<string, Draft>>;
  readonly chooseAccount: (accountId: string) => void;
  /** Opens a conversation at one of its messages. */
  readonly goTo: (key: ConversationKey, messageId: string) => void;
  readonly reached: () => void;
  readonly select: (key: ConversationKey | undefined) => void;
  readonly changeDraft: (key: ConversationKey, change: Partial<Draft>) => void;
}

export type ScreenStore = StoreApi<ScreenState>;

export const emptyDraft: Draft = { text: '', way: 'message' };

export function createScreenStore(): ScreenStore {
  return createStore((set) => ({
    accountId: undefined,
    selected: undefined,
    target: undefined,
    drafts: {},
    chooseAccount: (accountId) => set({ accountId, selected: undefined, target: undefined }),
    goTo: (selected, target) => set({ accountId: selected.accountId, selected, target }),
    reached: () => set({ target: undefined }),
    select: (selected) => set({ selected, target: undefined }),
    changeDraft: (key, change) =>
      set(({ drafts }) => ({
        drafts: { ...drafts, [keyText(key)]: { ...(drafts[keyText(key)] ?? emptyDraft), ...change } },
      })),
  }));
}

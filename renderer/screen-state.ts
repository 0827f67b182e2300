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
  /** By `keyText`. */
  readonly drafts: Readonly<Record<string, Draft>>;
  readonly chooseAccount: (accountId: string) => void;
  readonly select: (key: ConversationKey | undefined) => void;
  readonly changeDraft: (key: ConversationKey, change: Partial<Draft>) => void;
}

export type ScreenStore = StoreApi<ScreenState>;

export const emptyDraft: Draft = { text: '', way: 'message' };

export function createScreenStore(): ScreenStore {
  return createStore((set) => ({
    accountId: undefined,
    selected: undefined,
    drafts: {},
    chooseAccount: (accountId) => set({ accountId, selected: undefined }),
    select: (selected) => set({ selected }),
    changeDraft: (key, change) =>
      set(({ drafts }) => ({
        drafts: { ...drafts, [keyText(key)]: { ...(drafts[keyText(key)] ?? emptyDraft), ...change } },
      })),
  }));
}

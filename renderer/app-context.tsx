import { createContext, use, type ReactNode } from 'react';
import { useStore } from 'zustand';
import type { AccountView } from '../src/contract/index.ts';
import type { Remote, RemoteState } from './bridge/state.ts';
import type { ScreenState, ScreenStore } from './screen-state.ts';

interface App {
  readonly remote: Remote;
  readonly screen: ScreenStore;
}

const AppContext = createContext<App | undefined>(undefined);

export function AppProvider({ children, ...app }: App & { readonly children: ReactNode }) {
  return <AppContext value={app}>{children}</AppContext>;
}

export function useApp(): App {
  const app = use(AppContext);
  if (app === undefined) throw new Error('used outside of AppProvider');
  return app;
}

/** What the engine told. */
export function useRemote<T>(select: (state: RemoteState) => T): T {
  return useStore(useApp().remote.store, select);
}

/** What this window shows. */
export function useScreen<T>(select: (state: ScreenState) => T): T {
  return useStore(useApp().screen, select);
}

/** The account in use: the chosen one, else the first. */
export function useAccount(): AccountView | undefined {
  const chosen = useScreen((state) => state.accountId);
  return useRemote((state) => state.accounts.find((account) => account.id === chosen) ?? state.accounts[0]);
}

import { useState } from 'react';
import type { AccountView } from '../../../src/contract/index.ts';
import { useApp, useRemote } from '../../app-context.tsx';

/** Asks the key server at once. The outcome arrives as the account's state, and is shown there. */
export function useKmsRetry(account: AccountView) {
  const { remote } = useApp();
  const isDown = useRemote((state) => state.link !== 'up');
  const [isCalling, setCalling] = useState(false);
  const run = async () => {
    setCalling(true);
    // A lost link has its own banner.
    await remote.client.call('retryKms', { accountId: account.id }).catch(() => undefined);
    setCalling(false);
  };
  return { isBusy: isDown || isCalling, retry: () => void run() };
}

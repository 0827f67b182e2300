import { useState } from 'react';
import type { AccountView } from '../../../src/contract/index.ts';
import { useApp, useRemote } from '../../app-context.tsx';

/** Registers and unregisters. The outcome arrives as the account's state, and is shown there. */
export function useRegistration(account: AccountView) {
  const { remote } = useApp();
  const isDown = useRemote((state) => state.link !== 'up');
  const [isCalling, setCalling] = useState(false);
  const run = async (call: 'register' | 'unregister') => {
    setCalling(true);
    // A lost link has its own banner; every other outcome is a registration state.
    await remote.client.call(call, { accountId: account.id }).catch(() => undefined);
    setCalling(false);
  };
  return {
    isRegistered: account.registration.state === 'registered',
    isBusy: isDown || isCalling || account.registration.state === 'registering',
    register: () => void run('register'),
    unregister: () => void run('unregister'),
  };
}

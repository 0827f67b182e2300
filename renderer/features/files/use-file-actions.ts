import { useState } from 'react';
import type { FileView } from '../../../src/contract/index.ts';
import { useApp } from '../../app-context.tsx';
import { BridgeCallError } from '../../bridge/client.ts';
import { useTexts } from '../../i18n/text.tsx';

type Action = 'acceptFile' | 'declineFile' | 'pauseFile' | 'resumeFile' | 'cancelFile' | 'showFile';

/** What can be done with a file. `problem` is what the last attempt met; what becomes of the file is told by its state. */
export function useFileActions({ accountId, id }: Pick<FileView, 'accountId' | 'id'>) {
  const { remote } = useApp();
  const { text } = useTexts();
  const [problem, setProblem] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  const act = async (action: Action, more: { readonly consent?: true } = {}): Promise<void> => {
    setProblem(undefined);
    setBusy(true);
    try {
      await remote.client.call(action, { accountId, fileId: id, ...more });
    } catch (error) {
      if (!(error instanceof BridgeCallError)) throw error;
      setProblem(error.code === 'disconnected' ? text('link.down') : error.message);
    } finally {
      setBusy(false);
    }
  };
  return { act, problem, isBusy };
}

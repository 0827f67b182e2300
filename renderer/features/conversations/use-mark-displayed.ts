import { useEffect } from 'react';
import type { ConversationView } from '../../../src/contract/index.ts';
import { useApp, useRemote } from '../../app-context.tsx';
import type { MessageList } from '../../bridge/state.ts';

/** What is on the screen of a window that is visible and in use has been seen: its senders may be told. */
export function useMarkDisplayed({ accountId, peer }: ConversationView, { messages }: MessageList): void {
  const { remote } = useApp();
  const isUp = useRemote((state) => state.link === 'up');
  const newest = messages.findLast(({ direction, state }) => direction === 'in' && state === 'received')?.id;
  useEffect(() => {
    if (newest === undefined || !isUp) return undefined;
    let isMarked = false;
    const mark = () => {
      if (isMarked || document.visibilityState !== 'visible' || !document.hasFocus()) return;
      isMarked = true;
      // Fails only with the link, whose return brings it here again.
      void remote.client.call('markDisplayed', { accountId, peer, messageId: newest }).catch(() => undefined);
    };
    mark();
    window.addEventListener('focus', mark);
    document.addEventListener('visibilitychange', mark);
    return () => {
      window.removeEventListener('focus', mark);
      document.removeEventListener('visibilitychange', mark);
    };
  }, [remote, accountId, peer, newest, isUp]);
}

import { useCallback, useEffect, useRef } from 'react';
import type { ConversationView } from '../../../src/contract/index.ts';
import { useApp } from '../../app-context.tsx';

/** Typing is told to the engine this often at most, which tells the peer far less often. */
const tellMilliseconds = 5_000;

/** Tells that the user types in this conversation while a session to the peer stands; returns what hears each change of the text, and what hears that it was sent. */
export function useComposing({ accountId, peer, session }: ConversationView) {
  const { remote } = useApp();
  const told = useRef(-Infinity);
  const isOpen = session?.state === 'open';
  const tell = useCallback(
    (isWriting: boolean) => {
      told.current = isWriting ? Date.now() : -Infinity;
      // Its loss is without consequence: it is told again, or ends by itself.
      void remote.client.call('composing', { accountId, peer, isWriting }).catch(() => undefined);
    },
    [remote, accountId, peer],
  );
  useEffect(() => {
    told.current = -Infinity;
  }, [accountId, peer, isOpen]);
  const noteTyping = useCallback(
    (text: string) => {
      if (!isOpen) return;
      const isWriting = text.trim() !== '';
      if (!isWriting && told.current === -Infinity) return;
      if (!isWriting || Date.now() - told.current >= tellMilliseconds) tell(isWriting);
    },
    [isOpen, tell],
  );
  // The message itself ends it for the peer: what is typed next begins anew.
  const noteSent = useCallback(() => void (told.current = -Infinity), []);
  return { noteTyping, noteSent };
}

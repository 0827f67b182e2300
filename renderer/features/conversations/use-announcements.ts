import { useEffect } from 'react';
import type { MessageView } from '../../../src/contract/index.ts';
import { useApp } from '../../app-context.tsx';
import type { RemoteState } from '../../bridge/state.ts';
import { useTexts, type Texts } from '../../i18n/text.tsx';
import { announce } from '../../ui/announcer.tsx';
import { conversationNameIn, writerIn } from '../contacts/use-peer-name.ts';
import { waitingTitle } from './waiting-words.ts';

/** Has every message that comes in said aloud with its protection, and what became of one's own. */
export function useAnnouncements(): void {
  const { remote } = useApp();
  const texts = useTexts();
  useEffect(() => {
    const told = new Map<string, MessageView['state']>();
    return remote.onMessage((message) => {
      const before = told.get(message.id);
      told.set(message.id, message.state);
      if (before === message.state) return;
      const line = lineFor(message, before, remote.store.getState(), texts);
      if (line !== undefined) announce(line);
    });
  }, [remote, texts]);
}

function lineFor(
  message: MessageView,
  before: MessageView['state'] | undefined,
  state: RemoteState,
  { text }: Texts,
): string | undefined {
  const peer = conversationNameIn(state, message.direction === 'in' ? writerIn(state, message) : message.conversation);
  const level = text(`level.${message.level}`);
  switch (message.state) {
    case 'received':
      return text('announce.message', { from: peer, level, text: message.text });
    case 'undecryptable':
      return text('announce.undecryptable', { from: peer });
    case 'refused':
    case 'failed':
      if (message.direction === 'in') return text('announce.refused', { from: peer });
      return text('announce.failed', { to: peer, explanation: message.problem?.explanation ?? '' });
    case 'accepted':
    case 'delivered':
    case 'displayed':
      return before === 'sent' || before === 'queued' || before === undefined
        ? text('announce.sent', { to: peer, level })
        : undefined;
    case 'queued':
      return text('announce.waiting', { to: peer, title: text(waitingTitle(message)) });
    case 'sent':
      return undefined;
  }
}

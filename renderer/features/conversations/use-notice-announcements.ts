import { useEffect } from 'react';
import type { ConversationNotice, ConversationView } from '../../../src/contract/index.ts';
import { useApp } from '../../app-context.tsx';
import { keyText } from '../../bridge/state.ts';
import { useTexts } from '../../i18n/text.tsx';
import { announce } from '../../ui/announcer.tsx';
import { conversationNameIn } from '../contacts/use-peer-name.ts';
import { noticeTitle } from './notice-words.ts';

interface Told {
  readonly notice: ConversationNotice;
  readonly conversation: ConversationView;
}

/** Has each notice that comes to a conversation said aloud, wherever the user is. */
export function useNoticeAnnouncements(): void {
  const { remote } = useApp();
  const { text } = useTexts();
  useEffect(
    () =>
      remote.store.subscribe((state, before) => {
        // A snapshot brings accounts too: what is in it was there before, and is read where it stands.
        if (state.conversations === before.conversations || state.accounts !== before.accounts) return;
        const known = new Set(noticesOf(before.conversations).map(keyOf));
        for (const told of noticesOf(state.conversations)) {
          if (known.has(keyOf(told))) continue;
          const { notice, conversation } = told;
          const policy = state.accounts.find(({ id }) => id === conversation.accountId)?.policy ?? 'prefer-e2e';
          const title = noticeTitle(notice, conversationNameIn(state, conversation.peer), policy, text);
          announce(notice.explanation === undefined ? title : `${title}. ${notice.explanation}`);
        }
      }),
    [remote, text],
  );
}

function noticesOf(conversations: readonly ConversationView[]): readonly Told[] {
  return conversations.flatMap((conversation) =>
    (conversation.notices ?? []).map((notice) => ({ notice, conversation })),
  );
}

function keyOf({ notice, conversation }: Told): string {
  return `${keyText(conversation)} ${notice.id}`;
}

import { SquarePen } from 'lucide-react';
import { useMemo, useState } from 'react';
import { GridList } from 'react-aria-components';
import type { ConversationView } from '../../../src/contract/index.ts';
import { useAccount, useApp, useRemote, useScreen } from '../../app-context.tsx';
import { useTexts } from '../../i18n/text.tsx';
import { Button } from '../../ui/button.tsx';
import { ContactsButton } from '../contacts/contacts-button.tsx';
import { SearchButton } from '../search/search-button.tsx';
import styles from './conversation-list.module.css';
import { ConversationRow } from './conversation-row.tsx';
import { NewConversation } from './new-conversation.tsx';

export function ConversationList() {
  const { text } = useTexts();
  const { screen } = useApp();
  const account = useAccount();
  const selected = useScreen((state) => state.selected);
  const isLoading = useRemote((state) => state.link === 'connecting');
  const all = useRemote((state) => state.conversations);
  const conversations = useMemo(
    () => all.filter((one) => one.accountId === account?.id).sort(byRecency),
    [all, account?.id],
  );
  const [isNew, setNew] = useState(false);

  return (
    <nav className={styles.list} aria-label={text('conversations.title')}>
      <div className={styles.bar}>
        <h2 className={styles.title}>{text('conversations.title')}</h2>
        <span className={styles.tools}>
          <SearchButton />
          <ContactsButton />
          <Button
            isIcon
            size="small"
            look="quiet"
            aria-label={text('conversations.new')}
            aria-expanded={isNew}
            isDisabled={account === undefined}
            onPress={() => setNew(!isNew)}
          >
            <SquarePen size={17} aria-hidden="true" />
          </Button>
        </span>
      </div>
      {isNew && account !== undefined && <NewConversation account={account} onClose={() => setNew(false)} />}
      {conversations.length === 0 ? (
        <div className={styles.empty}>
          {!isLoading && (
            <>
              <p>{text(account === undefined ? 'account.none' : 'conversations.empty')}</p>
              <p>{text(account === undefined ? 'account.none.meaning' : 'conversations.empty.meaning')}</p>
            </>
          )}
        </div>
      ) : (
        <GridList
          className={styles.grid ?? ''}
          aria-label={text('conversations.title')}
          items={conversations}
          selectionMode="single"
          selectionBehavior="toggle"
          disallowEmptySelection
          shouldSelectOnPressUp
          selectedKeys={selected === undefined ? [] : [selected.peer]}
          onSelectionChange={(keys) => {
            const [peer] = keys === 'all' ? [] : keys;
            if (account !== undefined && peer !== undefined) {
              screen.getState().select({ accountId: account.id, peer: String(peer) });
            }
          }}
          onAction={(peer) => {
            if (account !== undefined) screen.getState().select({ accountId: account.id, peer: String(peer) });
          }}
        >
          {(conversation) => (
            <ConversationRow key={conversation.peer} id={conversation.peer} conversation={conversation} />
          )}
        </GridList>
      )}
    </nav>
  );
}

/** Newest first; what has no message yet was just begun and stands on top. */
function byRecency(a: ConversationView, b: ConversationView): number {
  return newest(b) - newest(a) || a.peer.localeCompare(b.peer);
}

function newest({ lastMessage, lastFile }: ConversationView): number {
  if (lastMessage === undefined && lastFile === undefined) return Number.MAX_SAFE_INTEGER;
  return Math.max(lastMessage?.at ?? 0, lastFile?.at ?? 0);
}

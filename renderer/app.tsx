import { useEffect } from 'react';
import { useAccount, useRemote, useScreen } from './app-context.tsx';
import styles from './app.module.css';
import { keyText } from './bridge/state.ts';
import { AccountHeader } from './features/accounts/account-header.tsx';
import { KmsNotice } from './features/accounts/kms-notice.tsx';
import { RegistrationNotice } from './features/accounts/registration-notice.tsx';
import { ConversationList } from './features/conversations/conversation-list.tsx';
import { ConversationPane } from './features/conversations/conversation-pane.tsx';
import { useAnnouncements } from './features/conversations/use-announcements.ts';
import { useNoticeAnnouncements } from './features/conversations/use-notice-announcements.ts';
import { useFileAnnouncements } from './features/files/use-file-announcements.ts';
import { StorageScreen } from './features/storage/storage-screen.tsx';
import { DamagedNotice } from './features/storage/storage-sheet.tsx';
import { LevelLegend } from './features/security/level-legend.tsx';
import { useTexts } from './i18n/text.tsx';
import { Announcer } from './ui/announcer.tsx';
import { classes } from './ui/class-names.ts';
import { LinkBanner } from './ui/link-banner.tsx';
import { shortName } from './ui/names.ts';

export function App() {
  const selected = useScreen((state) => state.selected);
  const { text } = useTexts();
  const storage = useRemote((state) => state.storage);
  const isShut = storage !== undefined && storage.state !== 'encrypted' && storage.state !== 'memory';
  useAnnouncements();
  useNoticeAnnouncements();
  useFileAnnouncements();
  useTitle();
  return (
    <main className={classes(styles.app, selected !== undefined && styles.hasSelected)}>
      <h1 className={styles.name}>{text('app.name')}</h1>
      <LinkBanner />
      {isShut && <StorageScreen storage={storage} />}
      <div className={styles.side} hidden={isShut}>
        <AccountHeader />
        <DamagedNotice />
        <KmsNotice />
        <ConversationList />
        <RegistrationNotice />
      </div>
      <div className={styles.content} hidden={isShut}>
        {selected === undefined ? (
          <LevelLegend />
        ) : (
          <ConversationPane key={keyText(selected)} conversationKey={selected} />
        )}
      </div>
      <Announcer />
    </main>
  );
}

function useTitle(): void {
  const { text } = useTexts();
  const account = useAccount();
  const unread = useRemote((state) => state.conversations.reduce((sum, conversation) => sum + conversation.unread, 0));
  useEffect(() => {
    if (account === undefined) return;
    document.title = text('app.title', { unread, account: account.displayName ?? shortName(account.identity) });
  });
}

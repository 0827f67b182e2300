import { ShieldAlert, SlidersHorizontal } from 'lucide-react';
import type { ConversationNotice, ConversationView } from '../../../src/contract/index.ts';
import { useAccount, useApp } from '../../app-context.tsx';
import { useTexts } from '../../i18n/text.tsx';
import { Button } from '../../ui/button.tsx';
import { useConversationName } from '../contacts/use-peer-name.ts';
import styles from './notice-line.module.css';
import { noticeTitle } from './notice-words.ts';

interface Props {
  readonly notice: ConversationNotice;
  readonly conversation: ConversationView;
}

/** What the user is told in the conversation: another policy counts, or somebody else vouches for the peer. */
export function NoticeLine({ notice, conversation }: Props) {
  const { text } = useTexts();
  const { remote } = useApp();
  const account = useAccount();
  const name = useConversationName(conversation.peer);
  const title = noticeTitle(notice, name, account?.policy ?? 'prefer-e2e', text);
  if (notice.kind === 'policy-changed') {
    return (
      <li className={styles.line}>
        <SlidersHorizontal size={13} aria-hidden="true" /> <span>{title}</span>
      </li>
    );
  }
  const { accountId, peer } = conversation;
  const dismiss = () =>
    // Gone already, or the link is down, which has its own banner.
    void remote.client.call('dismissNotice', { accountId, peer, noticeId: notice.id }).catch(() => undefined);
  return (
    <li className={styles.warning}>
      <p className={styles.title}>
        <ShieldAlert size={15} aria-hidden="true" /> {title}
      </p>
      <p>{notice.explanation}</p>
      <Button size="small" onPress={dismiss}>
        {text('notice.dismiss')}
      </Button>
    </li>
  );
}

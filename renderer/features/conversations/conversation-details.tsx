import type { ConversationView } from '../../../src/contract/index.ts';
import { useAccount, useApp } from '../../app-context.tsx';
import { useTexts } from '../../i18n/text.tsx';
import { announce } from '../../ui/announcer.tsx';
import { Confirm } from '../../ui/confirm.tsx';
import { plainAddress } from '../../ui/names.ts';
import { Sheet, SheetPart } from '../../ui/sheet.tsx';
import { useConversationName } from '../contacts/use-peer-name.ts';
import { HistoryExport } from '../storage/history-transfer.tsx';
import { RetentionChoice } from '../storage/retention-choice.tsx';
import styles from './conversation-details.module.css';

interface Props {
  readonly conversation: ConversationView;
  readonly isOpen: boolean;
  readonly onClose: () => void;
}

/** What holds for one conversation on this device. */
export function ConversationDetails({ conversation, isOpen, onClose }: Props) {
  const { text } = useTexts();
  const { remote, screen } = useApp();
  const account = useAccount();
  const name = useConversationName(conversation.peer);
  const { accountId, peer, retention, members } = conversation;
  const remove = async () => {
    try {
      await remote.client.call('removeConversation', { accountId, peer });
    } catch {
      // The link is down, which has its own banner.
      return;
    }
    onClose();
    screen.getState().select(undefined);
    announce(text('details.removed'));
  };
  return (
    <Sheet
      isOpen={isOpen}
      onClose={onClose}
      title={members === undefined ? text('details.title', { peer: name }) : text('details.title.group')}
      about={members === undefined ? plainAddress(peer) : text('details.group', { count: members.length })}
    >
      {members !== undefined && (
        <SheetPart title={text('details.members')}>
          <ul className={styles.members}>
            {members.map((member) => (
              <li key={member}>{plainAddress(member)}</li>
            ))}
          </ul>
        </SheetPart>
      )}
      <RetentionChoice
        accountId={accountId}
        peer={peer}
        rule={retention}
        accountRule={account?.retention ?? 'for-ever'}
      />
      <SheetPart title={text('transfer.title')}>
        <HistoryExport accountId={accountId} peer={peer} />
      </SheetPart>
      <div>
        <Confirm
          label={text('details.remove')}
          meaning={text('details.remove.meaning')}
          yes={text('details.remove.yes')}
          onYes={() => void remove()}
        />
      </div>
    </Sheet>
  );
}

import { GridListItem } from 'react-aria-components';
import type { ConversationView, MessageView } from '../../../src/contract/index.ts';
import { useScreen } from '../../app-context.tsx';
import { keyText } from '../../bridge/state.ts';
import { useTexts } from '../../i18n/text.tsx';
import { shortName } from '../../ui/names.ts';
import { Spoken } from '../../ui/spoken.tsx';
import { Tile } from '../../ui/tile.tsx';
import { LevelBadge } from '../security/level-mark.tsx';
import styles from './conversation-row.module.css';
import { startOfDay } from './grouping.ts';
import { hasLevel } from './message-facts.ts';
import { useToday } from './use-today.ts';

interface Props {
  readonly id: string;
  readonly conversation: ConversationView;
}

export function ConversationRow({ id, conversation }: Props) {
  const { text } = useTexts();
  const { lastMessage, unread } = conversation;
  const name = shortName(conversation.peer);
  const when = useShortMoment(lastMessage?.at);
  return (
    <GridListItem id={id} textValue={name} className={styles.row ?? ''}>
      <Tile name={name} />
      <span className={styles.body}>
        <span className={styles.line}>
          <strong className={styles.name}>{name}</strong>
          <span className={styles.when}>{when}</span>
        </span>
        <span className={styles.line}>
          <Preview conversation={conversation} />
          {unread > 0 && (
            <span className={styles.unread}>
              <span aria-hidden="true">{unread}</span>
              <Spoken>{text('conversations.unread', { count: unread })}</Spoken>
            </span>
          )}
        </span>
      </span>
    </GridListItem>
  );
}

function Preview({ conversation }: { readonly conversation: ConversationView }) {
  const { text } = useTexts();
  const { lastMessage } = conversation;
  const draft = useScreen((state) => state.drafts[keyText(conversation)]?.text ?? '');
  if (draft.trim() !== '') {
    return <span className={styles.preview}>{text('conversations.draft', { text: draft })}</span>;
  }
  if (lastMessage === undefined) return <span className={styles.preview}>{text('conversations.noMessages')}</span>;
  return (
    <span className={styles.preview}>
      {hasLevel(lastMessage) && (
        <span className={styles.mark}>
          <LevelBadge level={lastMessage.level} isShort />
        </span>
      )}
      <bdi>
        <Snippet message={lastMessage} />
      </bdi>
    </span>
  );
}

function Snippet({ message }: { readonly message: MessageView }) {
  const { text } = useTexts();
  if (message.state === 'undecryptable') return text('message.state.undecryptable');
  if (message.state === 'refused')
    return text(message.direction === 'in' ? 'message.refused.in' : 'message.state.refused');
  if (message.state === 'failed') return text('message.state.failed');
  return message.direction === 'out' ? text('conversations.you', { text: message.text }) : message.text;
}

/** Time of day for today, else the date. */
function useShortMoment(at: number | undefined): string {
  const { intl, time } = useTexts();
  const today = useToday();
  if (at === undefined) return '';
  if (startOfDay(at) === today) return time(at);
  return intl.formatDate(at, { day: 'numeric', month: 'short' });
}

import { GridListItem } from 'react-aria-components';
import type { ConversationView, MessageView, ProtectionLevel } from '../../../src/contract/index.ts';
import { useScreen } from '../../app-context.tsx';
import { keyText } from '../../bridge/state.ts';
import { useTexts, type Texts } from '../../i18n/text.tsx';
import { Spoken } from '../../ui/spoken.tsx';
import { Tile } from '../../ui/tile.tsx';
import { useConversationName } from '../contacts/use-peer-name.ts';
import { LevelBadge } from '../security/level-mark.tsx';
import styles from './conversation-row.module.css';
import { startOfDay } from './grouping.ts';
import { hasLevel } from './message-facts.ts';
import { waitingTitle } from './waiting-words.ts';
import { useToday } from './use-today.ts';

interface Props {
  readonly id: string;
  readonly conversation: ConversationView;
}

export function ConversationRow({ id, conversation }: Props) {
  const { text } = useTexts();
  const { lastMessage, lastFile, unread } = conversation;
  const name = useConversationName(conversation.peer);
  const when = useShortMoment(latestOf(lastMessage?.at, lastFile?.at));
  const preview = usePreview(conversation);
  const level = preview.level === undefined ? '' : `${text(`level.${preview.level}`)}. `;
  const spoken = text('conversations.row', { name, unread, level, text: preview.text });
  return (
    <GridListItem id={id} textValue={spoken} className={styles.row ?? ''}>
      <Tile name={name} />
      <span className={styles.body}>
        <span className={styles.line}>
          <strong className={styles.name}>{name}</strong>
          <span className={styles.when}>{when}</span>
        </span>
        <span className={styles.line}>
          <span className={styles.preview}>
            {preview.level !== undefined && (
              <span className={styles.mark}>
                <LevelBadge level={preview.level} isShort />
              </span>
            )}
            <bdi>{preview.text}</bdi>
          </span>
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

interface Preview {
  readonly text: string;
  readonly level: ProtectionLevel | undefined;
}

/** What is about to be written, else what was said last. */
function usePreview(conversation: ConversationView): Preview {
  const { text } = useTexts();
  const { lastMessage, lastFile } = conversation;
  const draft = useScreen((state) => state.drafts[keyText(conversation)]?.text ?? '');
  if (draft.trim() !== '') return { text: text('conversations.draft', { text: draft }), level: undefined };
  if (lastFile !== undefined && lastFile.at >= (lastMessage?.at ?? 0)) {
    return { text: text(`conversations.file.${lastFile.direction}`, { name: lastFile.name }), level: undefined };
  }
  if (lastMessage === undefined) return { text: text('conversations.noMessages'), level: undefined };
  return { text: snippet(lastMessage, text), level: hasLevel(lastMessage) ? lastMessage.level : undefined };
}

function latestOf(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.max(one, other);
}

function snippet(message: MessageView, text: Texts['text']): string {
  if (message.state === 'queued') return text(waitingTitle(message));
  if (message.state === 'undecryptable' || message.state === 'failed') return text(`message.state.${message.state}`);
  if (message.state === 'refused') {
    return text(message.direction === 'in' ? 'message.refused.in' : 'message.state.refused');
  }
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

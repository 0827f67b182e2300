import { ArrowDown } from 'lucide-react';
import { useId, useMemo, useRef, useState } from 'react';
import type { ConversationView, FileView, MessageView } from '../../../src/contract/index.ts';
import type { MessageList } from '../../bridge/state.ts';
import { useTexts } from '../../i18n/text.tsx';
import { Button } from '../../ui/button.tsx';
import { Progress } from '../../ui/progress.tsx';
import { Spoken } from '../../ui/spoken.tsx';
import { useConversationName, usePeerName } from '../contacts/use-peer-name.ts';
import { FileCard } from '../files/file-card.tsx';
import { EmptyConversation } from './empty-conversation.tsx';
import { groupByDay, isFile, isNotice, withOthers, type ItemGroup } from './grouping.ts';
import { MessageItem } from './message-item.tsx';
import styles from './transcript.module.css';
import { NoticeLine } from './notice-line.tsx';
import { useDayName } from './use-day-name.ts';
import { useReachTarget } from './use-reach-target.ts';

interface Props {
  readonly conversation: ConversationView;
  readonly list: MessageList;
  readonly files: readonly FileView[];
  readonly isLoading: boolean;
  readonly onProof: (message: MessageView) => void;
  readonly onFileProof: (file: FileView) => void;
  readonly onEarlier: () => void;
  readonly onNewer: () => void;
  /** Back to the newest messages, from a piece of the past. */
  readonly onNewest: () => void;
  /** A question in the conversation was answered: the keyboard goes back to writing. */
  readonly onSettled: () => void;
}

const none: NonNullable<ConversationView['notices']> = [];

/** Pixels above the end from which on the way back is offered. */
const farFromEnd = 240;
/** Pixels before an end of what is loaded at which more is fetched. */
const nearEdge = 400;

/**
 * What was said. The list is laid out from its end (column-reverse): it stays at the newest message by itself, and older
 * messages loaded above move nothing.
 */
export function Transcript(props: Props) {
  const { conversation, list, files, isLoading, onProof, onFileProof, onEarlier, onNewer, onNewest, onSettled } = props;
  const { text } = useTexts();
  const scroller = useRef<HTMLDivElement>(null);
  const keysId = useId();
  const [isFar, setFar] = useState(false);
  const { notices = none } = conversation;
  const items = useMemo(() => withOthers(list, [...files, ...notices]), [list, files, notices]);
  useReachTarget(scroller, items);
  const days = useMemo(() => groupByDay(items), [items]);
  const dayName = useDayName();
  const name = useConversationName(conversation.peer);
  const last = items.at(-1)?.id;
  const [current, setCurrent] = useState<string>();
  const reachable = items.some((item) => item.id === current) ? current : last;

  return (
    <div className={styles.place}>
      <div
        ref={scroller}
        className={styles.scroller}
        onScroll={({ currentTarget: { scrollTop, clientHeight, scrollHeight } }) => {
          // The end is where scrolling begins: further up is less than zero.
          setFar(scrollTop < -farFromEnd);
          if (list.hasMore && clientHeight - scrollTop > scrollHeight - nearEdge) onEarlier();
          if (list.hasNewer && scrollTop > -nearEdge) onNewer();
        }}
      >
        <section
          className={styles.messages}
          aria-label={text('conversation.messages', { peer: name })}
          aria-describedby={keysId}
        >
          <Spoken>
            <span id={keysId}>{text('conversation.keys')}</span>
          </Spoken>
          {list.hasMore && (
            <div className={styles.earlier}>
              <Button size="small" look="quiet" onPress={onEarlier}>
                {text('conversation.earlier')}
              </Button>
            </div>
          )}
          {isLoading && (
            <p className={styles.loading}>
              <Progress />
            </p>
          )}
          {!isLoading && items.length === 0 && <EmptyConversation conversation={conversation} />}
          {days.map((day) => (
            <section key={day.start} className={styles.day} aria-label={dayName(day.start)}>
              <h3 className={styles.date}>
                <span>{dayName(day.start)}</span>
              </h3>
              {day.groups.map((group) => (
                <Group
                  key={group.id}
                  group={group}
                  conversation={conversation}
                  peer={name}
                  reachable={reachable}
                  onReach={setCurrent}
                  onProof={onProof}
                  onFileProof={onFileProof}
                  onSettled={onSettled}
                />
              ))}
            </section>
          ))}
        </section>
      </div>
      {(isFar || list.hasNewer) && (
        <div className={styles.newest}>
          <Button
            size="small"
            onPress={() => {
              if (list.hasNewer) onNewest();
              scroller.current?.scrollTo({ top: 0, behavior: list.hasNewer ? 'instant' : 'smooth' });
            }}
          >
            <ArrowDown size={14} aria-hidden="true" />
            {text('conversation.newest')}
          </Button>
        </div>
      )}
    </div>
  );
}

interface GroupProps {
  readonly conversation: ConversationView;
  readonly group: ItemGroup;
  readonly peer: string;
  /** The one item whose mark the Tab key reaches; the arrow keys go on from there. */
  readonly reachable: string | undefined;
  readonly onReach: (id: string) => void;
  readonly onProof: (message: MessageView) => void;
  readonly onFileProof: (file: FileView) => void;
  readonly onSettled: () => void;
}

function Group({ group, conversation, peer, reachable, onReach, onProof, onFileProof, onSettled }: GroupProps) {
  const { text } = useTexts();
  const peerName = usePeerName();
  const isGroup = conversation.members !== undefined;
  if (group.direction === 'notice') {
    const notices = group.items.filter(isNotice);
    return (
      <ul className={styles.notices}>
        {notices.map((notice) => (
          <NoticeLine key={notice.id} notice={notice} conversation={conversation} />
        ))}
      </ul>
    );
  }
  const sender = group.direction === 'out' ? text('message.you') : peer;
  return (
    <ol className={group.direction === 'out' ? styles.out : styles.in} aria-label={sender}>
      {group.items.map((item, index) => {
        if (isNotice(item)) return null;
        const writer = isGroup && !isFile(item) && item.direction === 'in' ? item.from : undefined;
        const before = group.items[index - 1];
        const isNamed = writer !== undefined && (before === undefined || !('from' in before) || before.from !== writer);
        const shared = {
          sender: writer === undefined ? sender : peerName(writer),
          isReachable: item.id === reachable,
          onReach,
        };
        return isFile(item) ? (
          <FileCard key={item.id} file={item} onProof={onFileProof} {...shared} />
        ) : (
          <MessageItem
            key={item.id}
            message={item}
            isNamed={isNamed}
            onProof={onProof}
            onSettled={onSettled}
            {...shared}
          />
        );
      })}
    </ol>
  );
}

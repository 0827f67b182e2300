import { Check, CheckCheck } from 'lucide-react';
import { memo } from 'react';
import type { MessageView } from '../../../src/contract/index.ts';
import { useTexts } from '../../i18n/text.tsx';
import { classes } from '../../ui/class-names.ts';
import { Progress } from '../../ui/progress.tsx';
import { Spoken } from '../../ui/spoken.tsx';
import { LevelBadge } from '../security/level-mark.tsx';
import { hasLevel, isStranded } from './message-facts.ts';
import styles from './message-item.module.css';
import { ProofMark } from './proof-mark.tsx';
import { StrandedMessage } from './stranded-message.tsx';
import { WaitingMessage } from './waiting-message.tsx';

interface Props {
  readonly message: MessageView;
  readonly sender: string;
  readonly isReachable: boolean;
  readonly onReach: (id: string) => void;
  readonly onProof: (message: MessageView) => void;
  readonly onSettled: () => void;
}

export const MessageItem = memo(function MessageItem(props: Props) {
  const { message, sender, onSettled } = props;
  if (message.state === 'queued') return <WaitingMessage message={message} onSettled={onSettled} />;
  if (isStranded(message)) return <StrandedMessage message={message} onSettled={onSettled} />;
  return (
    <li className={styles.item}>
      <div className={classes(styles.bubble, styles[message.direction], hasLevel(message) && styles[message.level])}>
        <Spoken>{sender}: </Spoken>
        <MessageText message={message} />
      </div>
      <Caption {...props} />
    </li>
  );
});

function MessageText({ message }: { readonly message: MessageView }) {
  const { text } = useTexts();
  if (message.state === 'undecryptable' || message.state === 'refused') {
    return (
      <>
        {message.state === 'refused' && <p className={styles.missing}>{text(`message.refused.${message.way}`)}</p>}
        <p className={styles.missing}>{message.problem?.explanation ?? text('message.undecryptable.text')}</p>
      </>
    );
  }
  return (
    <>
      {message.subject !== undefined && message.subject !== '' && (
        <p className={styles.subject} dir="auto">
          {message.subject}
        </p>
      )}
      <p className={styles.text} dir="auto">
        {message.text}
      </p>
    </>
  );
}

/** Under each message: how it is protected, when it was, what became of it. */
function Caption({ message, isReachable, onReach, onProof }: Props) {
  const { text, time } = useTexts();
  const hasProof = message.evidence !== undefined;
  return (
    <div className={classes(styles.caption, message.direction === 'out' && styles.outCaption)} data-caption>
      {hasLevel(message) &&
        (hasProof ? (
          <ProofMark
            level={message.level}
            isReachable={isReachable}
            onReach={() => onReach(message.id)}
            onProof={() => onProof(message)}
          />
        ) : (
          <LevelBadge level={message.level} />
        ))}
      {message.state === 'sent' && <Progress />}
      <span className={styles.rest}>
        {message.way === 'msrp' && message.state !== 'sent' && <span>{text('message.via.msrp')}</span>}
        <time dateTime={new Date(message.at).toISOString()}>{time(message.at)}</time>
        {message.state !== 'received' && (
          <span className={styles.fate}>
            {message.state === 'delivered' && <Check size={13} aria-hidden="true" />}
            {message.state === 'displayed' && <CheckCheck size={13} aria-hidden="true" />}
            {text(
              message.direction === 'in' && message.state === 'refused'
                ? 'message.refused.in'
                : `message.state.${message.state}`,
            )}
          </span>
        )}
      </span>
    </div>
  );
}

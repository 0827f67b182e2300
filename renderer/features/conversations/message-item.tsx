import { Check, CheckCheck } from 'lucide-react';
import { memo } from 'react';
import type { MessageView } from '../../../src/contract/index.ts';
import { useTexts, type Texts } from '../../i18n/text.tsx';
import { classes } from '../../ui/class-names.ts';
import { Progress } from '../../ui/progress.tsx';
import { Spoken } from '../../ui/spoken.tsx';
import { LevelBadge } from '../security/level-mark.tsx';
import { hasLevel, isStranded, isWaiting } from './message-facts.ts';
import styles from './message-item.module.css';
import { AskResend } from './ask-resend.tsx';
import { ProofMark } from './proof-mark.tsx';
import { Recipients } from './recipients.tsx';
import { StrandedMessage } from './stranded-message.tsx';
import { WaitingMessage } from './waiting-message.tsx';

interface Props {
  readonly message: MessageView;
  readonly sender: string;
  /** In a group the first of somebody's messages names them. */
  readonly isNamed?: boolean;
  readonly isReachable: boolean;
  readonly onReach: (id: string) => void;
  readonly onProof: (message: MessageView) => void;
  readonly onSettled: () => void;
}

export const MessageItem = memo(function MessageItem(props: Props) {
  const { message, sender, isNamed = false, onSettled } = props;
  if (isWaiting(message)) return <WaitingMessage message={message} onSettled={onSettled} />;
  if (isStranded(message)) return <StrandedMessage message={message} onSettled={onSettled} />;
  return (
    <li className={styles.item} data-message={message.id} tabIndex={-1}>
      {isNamed && (
        <p className={styles.sender} aria-hidden="true">
          {sender}
        </p>
      )}
      <div className={classes(styles.bubble, styles[message.direction], hasLevel(message) && styles[message.level])}>
        <Spoken>{sender}: </Spoken>
        <MessageText message={message} />
        {message.state === 'undecryptable' && <AskResend message={message} />}
      </div>
      <Caption {...props} />
      {message.recipients !== undefined && <Recipients recipients={message.recipients} />}
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

function claimedLevel({ imported, level }: MessageView, text: Texts['text']): string {
  return text(`level.${imported?.level ?? level}`);
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
      {message.imported !== undefined && (
        <span
          className={styles.imported}
          title={text('message.imported.claim', { level: claimedLevel(message, text) })}
        >
          {text('message.imported')}
          <Spoken>. {text('message.imported.claim', { level: claimedLevel(message, text) })}</Spoken>
        </span>
      )}
      {message.state === 'sent' && <Progress />}
      <span className={styles.rest}>
        {message.fromOtherDevice === true && <span>{text('message.fromOtherDevice')}</span>}
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

import { Hourglass } from 'lucide-react';
import { useState } from 'react';
import type { MessageView } from '../../../src/contract/index.ts';
import { useTexts } from '../../i18n/text.tsx';
import { Button } from '../../ui/button.tsx';
import { Spoken } from '../../ui/spoken.tsx';
import { useConversationName } from '../contacts/use-peer-name.ts';
import styles from './stranded-message.module.css';
import { useSend } from './use-send.ts';
import { waitingTitle } from './waiting-words.ts';

interface Props {
  readonly message: MessageView;
  readonly onSettled: () => void;
}

/** A message that waits: for what, when it is tried next, and the ways to try it now and to take it back. */
export function WaitingMessage({ message, onSettled }: Props) {
  const { text, time, clock } = useTexts();
  const [isBusy, setBusy] = useState(false);
  const { accountId, conversation: peer, id, way } = message;
  const { send, discard, retry } = useSend({ accountId, peer });
  const name = useConversationName(peer);
  const { offered, nextAttempt, explanation } = message.problem ?? {};
  const weaker = offered === 'e2e' ? undefined : offered;
  const title = text(waitingTitle(message));
  const agree = async () => {
    setBusy(true);
    onSettled();
    await send({ text: message.text, way, consent: true, replaces: id });
    setBusy(false);
  };
  const tryNow = async () => {
    setBusy(true);
    await retry(id);
    setBusy(false);
  };
  return (
    <li data-message={id} className={styles.item}>
      <div className={styles.text} dir="auto">
        <Spoken>{text('message.you')}: </Spoken>
        {message.text}
      </div>
      <div className={styles.notice} role="group" aria-label={title}>
        <p className={styles.title}>
          <span className={styles.state}>
            <Hourglass size={14} aria-hidden="true" />
            {title}
          </span>
          <time dateTime={new Date(message.at).toISOString()}>{time(message.at)}</time>
        </p>
        <p className={styles.explanation}>
          {explanation} {nextAttempt !== undefined && text('waiting.next', { time: clock(nextAttempt) })}
        </p>
        <div className={styles.buttons}>
          <Button size="small" isBusy={isBusy} onPress={() => void tryNow()}>
            {text('waiting.now')}
          </Button>
          <Button
            size="small"
            look="quiet"
            isBusy={isBusy}
            onPress={() => {
              onSettled();
              discard(id);
            }}
          >
            {text(message.state === 'sent' ? 'waiting.stop' : 'waiting.cancel')}
          </Button>
          {weaker !== undefined && (
            <Button size="small" look="quiet" isBusy={isBusy} onPress={() => void agree()}>
              {text(`refusal.consent.${weaker}`)}
            </Button>
          )}
        </div>
        {weaker !== undefined && <p className={styles.note}>{text('refusal.consent.remembered', { peer: name })}</p>}
      </div>
    </li>
  );
}

import { Hourglass } from 'lucide-react';
import { useState } from 'react';
import type { MessageView } from '../../../src/contract/index.ts';
import { useTexts } from '../../i18n/text.tsx';
import { Button } from '../../ui/button.tsx';
import { shortName } from '../../ui/names.ts';
import { Spoken } from '../../ui/spoken.tsx';
import styles from './stranded-message.module.css';
import { useSend } from './use-send.ts';

interface Props {
  readonly message: MessageView;
  readonly onSettled: () => void;
}

/** A message that waits for the key server: what it waits for, that it goes end to end or not at all, and the way to take it back. */
export function WaitingMessage({ message, onSettled }: Props) {
  const { text, time } = useTexts();
  const [isBusy, setBusy] = useState(false);
  const { accountId, conversation: peer, id, way } = message;
  const { send, discard } = useSend({ accountId, peer });
  const { offered } = message.problem ?? {};
  const weaker = offered === 'e2e' ? undefined : offered;
  const title = text('message.state.queued');
  const agree = async () => {
    setBusy(true);
    onSettled();
    await send({ text: message.text, way, consent: true, replaces: id });
    setBusy(false);
  };
  return (
    <li className={styles.item}>
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
        <p className={styles.explanation}>{text('waiting.meaning')}</p>
        <div className={styles.buttons}>
          <Button
            size="small"
            isDisabled={isBusy}
            onPress={() => {
              onSettled();
              discard(id);
            }}
          >
            {text('waiting.cancel')}
          </Button>
          {weaker !== undefined && (
            <Button size="small" look="quiet" isDisabled={isBusy} onPress={() => void agree()}>
              {text(`refusal.consent.${weaker}`)}
            </Button>
          )}
        </div>
        {weaker !== undefined && (
          <p className={styles.note}>{text('refusal.consent.remembered', { peer: shortName(peer) })}</p>
        )}
      </div>
    </li>
  );
}

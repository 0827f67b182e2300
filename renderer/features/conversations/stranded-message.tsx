import { useState } from 'react';
import type { MessageView, ProtectionLevel, Refusal } from '../../../src/contract/index.ts';
import { useApp } from '../../app-context.tsx';
import { emptyDraft } from '../../screen-state.ts';
import { keyText } from '../../bridge/state.ts';
import { useTexts } from '../../i18n/text.tsx';
import { Button } from '../../ui/button.tsx';
import { Spoken } from '../../ui/spoken.tsx';
import { useConversationName } from '../contacts/use-peer-name.ts';
import { LevelBadge } from '../security/level-mark.tsx';
import styles from './stranded-message.module.css';
import { useSend } from './use-send.ts';

interface Props {
  readonly message: MessageView;
  readonly onSettled: () => void;
}

/** A message that did not go: what happened, what it means, and the choice, in the place where it would have been. */
export function StrandedMessage({ message, onSettled }: Props) {
  const { text, time } = useTexts();
  const { problem } = message;
  const isQuestion = problem?.code === 'consent-required' && problem.offered !== undefined;
  const title = isQuestion ? 'refusal.consent.title' : titleOf(message);
  return (
    <li className={styles.item} data-message={message.id}>
      <div className={styles.text} dir="auto">
        <Spoken>{text('message.you')}: </Spoken>
        {message.text}
      </div>
      <div className={styles.notice} role="group" aria-label={text(title)}>
        <p className={styles.title}>
          {text(title)}
          <time dateTime={new Date(message.at).toISOString()}>{time(message.at)}</time>
        </p>
        {problem !== undefined && <Explanation problem={problem} />}
        {isQuestion && problem.offered !== undefined ? (
          <Consent message={message} offered={problem.offered} onSettled={onSettled} />
        ) : (
          <Retry message={message} onSettled={onSettled} />
        )}
      </div>
    </li>
  );
}

function titleOf({ problem, state }: MessageView) {
  if (problem?.uncertain === true) return 'refusal.uncertain.title';
  return state === 'failed' ? 'refusal.failed.title' : 'refusal.title';
}

function Explanation({ problem }: { readonly problem: Refusal }) {
  const { text } = useTexts();
  return (
    <>
      <p className={styles.explanation}>{problem.explanation}</p>
      {problem.offered !== undefined && (
        <p className={styles.offer}>
          <span>{text('refusal.offered')}</span>
          <LevelBadge level={problem.offered} />
        </p>
      )}
    </>
  );
}

interface ConsentProps extends Props {
  readonly offered: ProtectionLevel;
}

function Consent({ message, offered, onSettled }: ConsentProps) {
  const { text } = useTexts();
  const [isBusy, setBusy] = useState(false);
  const { send, discard } = useSend(keyOf(message));
  const name = useConversationName(message.conversation);
  // End-to-end is never less than what was asked for, so it is never offered; the engine's type allows it.
  const weaker = offered === 'e2e' ? 'e2ae' : offered;
  const agree = async () => {
    setBusy(true);
    onSettled();
    await send({ text: message.text, way: message.way, consent: true, replaces: message.id });
    setBusy(false);
  };
  return (
    <>
      <div className={styles.buttons}>
        <Button size="small" look="primary" isBusy={isBusy} onPress={() => void agree()}>
          {text(`refusal.consent.${weaker}`)}
        </Button>
        <Button
          size="small"
          isBusy={isBusy}
          onPress={() => {
            onSettled();
            discard(message.id);
          }}
        >
          {text('refusal.consent.no')}
        </Button>
      </div>
      <p className={styles.note}>{text('refusal.consent.remembered', { peer: name })}</p>
    </>
  );
}

function Retry({ message, onSettled }: Props) {
  const { text } = useTexts();
  const { screen } = useApp();
  const [isBusy, setBusy] = useState(false);
  const key = keyOf(message);
  const { retry, discard } = useSend(key);
  const again = async () => {
    setBusy(true);
    onSettled();
    // As the same message: where it has arrived after all, no second one is shown.
    await retry(message.id);
    setBusy(false);
  };
  const edit = () => {
    const { drafts, changeDraft } = screen.getState();
    const before = (drafts[keyText(key)] ?? emptyDraft).text;
    changeDraft(key, { text: before === '' ? message.text : `${message.text}\n${before}`, way: message.way });
    discard(message.id);
    onSettled();
  };
  return (
    <div className={styles.buttons}>
      <Button size="small" isBusy={isBusy} onPress={() => void again()}>
        {text('refusal.retry')}
      </Button>
      <Button size="small" look="quiet" isBusy={isBusy} onPress={edit}>
        {text('refusal.edit')}
      </Button>
      <Button
        size="small"
        look="quiet"
        isBusy={isBusy}
        onPress={() => {
          onSettled();
          discard(message.id);
        }}
      >
        {text('refusal.discard')}
      </Button>
    </div>
  );
}

function keyOf({ accountId, conversation }: MessageView) {
  return { accountId, peer: conversation };
}

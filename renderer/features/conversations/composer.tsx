import { ArrowUp } from 'lucide-react';
import { useState, type KeyboardEvent, type RefObject } from 'react';
import { ToggleButton, ToggleButtonGroup } from 'react-aria-components';
import { maxTextLength, messageWay, type ConversationView, type MessageWay } from '../../../src/contract/index.ts';
import { useApp, useRemote, useScreen } from '../../app-context.tsx';
import { keyText } from '../../bridge/state.ts';
import { useTexts } from '../../i18n/text.tsx';
import { Button } from '../../ui/button.tsx';
import { emptyDraft } from '../../screen-state.ts';
import { useConversationName } from '../contacts/use-peer-name.ts';
import { AttachButton } from '../files/attach-button.tsx';
import type { useSendFile } from '../files/use-send-file.ts';
import { PolicySelect } from '../security/policy-select.tsx';
import styles from './composer.module.css';
import { useComposing } from './use-composing.ts';
import { useSend } from './use-send.ts';

interface Props {
  readonly conversation: ConversationView;
  readonly inputRef: RefObject<HTMLTextAreaElement | null>;
  readonly sending: ReturnType<typeof useSendFile>;
}

/** Where the next message is written, with the way it takes and the protection it demands. */
export function Composer({ conversation, inputRef, sending }: Props) {
  const { text } = useTexts();
  const { screen } = useApp();
  const draft = useScreen((state) => state.drafts[keyText(conversation)] ?? emptyDraft);
  const isUp = useRemote((state) => state.link === 'up');
  const { send } = useSend(conversation);
  const { noteTyping, noteSent } = useComposing(conversation);
  const [problem, setProblem] = useState<string>();
  const peer = useConversationName(conversation.peer);
  const { changeDraft } = screen.getState();
  // To several there are no sessions and no files.
  const isGroup = conversation.members !== undefined;
  const way = isGroup ? 'message' : draft.way;
  const canSend = isUp && draft.text.trim() !== '';

  const submit = async () => {
    if (!canSend) return;
    setProblem(undefined);
    changeDraft(conversation, { text: '' });
    noteSent();
    const error = await send({ text: draft.text, way });
    if (error === undefined) return;
    // Nothing written is lost, and nothing is sent twice without the user's doing.
    const { drafts } = screen.getState();
    if ((drafts[keyText(conversation)] ?? emptyDraft).text === '') changeDraft(conversation, { text: draft.text });
    setProblem(error.code === 'disconnected' ? text('composer.uncertain') : error.message);
  };

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    void submit();
  };

  return (
    <form
      className={styles.composer}
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      {problem !== undefined && (
        <p className={styles.problem} role="alert">
          {problem}
        </p>
      )}
      {sending.problem !== undefined && (
        <p className={styles.problem} role="alert">
          {sending.problem}
        </p>
      )}
      <div className={styles.box}>
        <textarea
          ref={inputRef}
          className={styles.input}
          rows={1}
          maxLength={maxTextLength}
          aria-label={text('composer.label', { peer })}
          aria-keyshortcuts="Enter"
          placeholder={isGroup ? text('composer.placeholder.group') : text('composer.placeholder', { peer })}
          value={draft.text}
          onChange={(event) => {
            changeDraft(conversation, { text: event.target.value });
            noteTyping(event.target.value);
          }}
          onKeyDown={onKeyDown}
        />
        <div className={styles.tools}>
          {!isGroup && <Ways conversation={conversation} way={way} />}
          <PolicySelect conversation={conversation} />
          <span className={styles.send}>
            {!isGroup && (
              <AttachButton
                choose={sending.abilities.choose}
                isDisabled={!isUp || sending.isBusy}
                onChoose={() => void sending.choose()}
                onFiles={(files) => void sending.give(files)}
              />
            )}
            <Button isIcon look="primary" type="submit" aria-label={text('composer.send')} isDisabled={!canSend}>
              <ArrowUp size={18} aria-hidden="true" />
            </Button>
          </span>
        </div>
      </div>
      <p className={styles.hint}>
        <WayHint conversation={conversation} way={way} /> <span>{text('composer.hint')}</span>
      </p>
    </form>
  );
}

interface WayProps {
  readonly conversation: ConversationView;
  readonly way: MessageWay;
}

function Ways({ conversation, way }: WayProps) {
  const { text } = useTexts();
  const { screen } = useApp();
  return (
    <ToggleButtonGroup
      className={styles.ways ?? ''}
      aria-label={text('composer.way')}
      selectionMode="single"
      disallowEmptySelection
      selectedKeys={[way]}
      onSelectionChange={(keys) => {
        const chosen = messageWay.safeParse([...keys][0]);
        if (chosen.success) screen.getState().changeDraft(conversation, { way: chosen.data });
      }}
    >
      {messageWay.options.map((one) => (
        <ToggleButton key={one} id={one} className={styles.way ?? ''}>
          {text(`composer.way.${one}`)}
        </ToggleButton>
      ))}
    </ToggleButtonGroup>
  );
}

function WayHint({ conversation, way }: WayProps) {
  const { text } = useTexts();
  const peer = useConversationName(conversation.peer);
  if (way === 'message') {
    const isGroup = conversation.members !== undefined;
    return <span>{isGroup ? text('composer.way.message.group') : text('composer.way.message.hint', { peer })}</span>;
  }
  const isOpen = conversation.session?.state === 'open';
  return <span>{isOpen ? text('composer.way.msrp.open') : text('composer.way.msrp.hint', { peer })}</span>;
}

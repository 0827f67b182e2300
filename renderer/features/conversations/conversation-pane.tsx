import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import type { ConversationView, FileView, MessageView } from '../../../src/contract/index.ts';
import { useApp, useRemote, useScreen } from '../../app-context.tsx';
import { keyText, type ConversationKey, type MessageList } from '../../bridge/state.ts';
import { useTexts } from '../../i18n/text.tsx';
import { useConversationName } from '../contacts/use-peer-name.ts';
import { FileProof } from '../files/file-proof.tsx';
import { useFileDrop } from '../files/use-file-drop.ts';
import { useSendFile } from '../files/use-send-file.ts';
import { MessageProof } from '../security/message-proof.tsx';
import { SessionProof } from '../security/session-proof.tsx';
import { Composer } from './composer.tsx';
import { ComposingLine } from './composing-line.tsx';
import { ConversationDetails } from './conversation-details.tsx';
import { ConversationHeader } from './conversation-header.tsx';
import styles from './conversation-pane.module.css';
import { Transcript } from './transcript.tsx';
import { useMarkDisplayed } from './use-mark-displayed.ts';

type Proof = { readonly of: 'message' | 'file'; readonly id: string } | { readonly of: 'session' };

const nothing: MessageList = { messages: [], hasMore: false, hasNewer: false };
const noFiles: readonly FileView[] = [];

/** One conversation: who, what was said, what to say next. */
export function ConversationPane({ conversationKey }: { readonly conversationKey: ConversationKey }) {
  const { text } = useTexts();
  const { remote } = useApp();
  const target = useScreen((state) => state.target);
  const [isAtMessage] = useState(target !== undefined);
  const conversation = useConversation(conversationKey);
  const list = useRemote((state) => state.messages[keyText(conversationKey)]);
  const files = useRemote((state) => state.transfers[keyText(conversationKey)]) ?? noFiles;
  const sending = useSendFile(conversationKey);
  const drop = useFileDrop(sending.abilities.choose !== 'none', sending.give);
  const composer = useRef<HTMLTextAreaElement>(null);
  const [proof, setProof] = useState<Proof>();
  const [isDetails, setDetails] = useState(false);
  const proven = list?.messages.find((message) => proof?.of === 'message' && message.id === proof.id);

  const provenFile = files.find((file) => proof?.of === 'file' && file.id === proof.id);
  const isUp = useRemote((state) => state.link === 'up');

  useEffect(() => {
    // Fails only with the link, whose return brings it here again.
    if (!isUp) return;
    const newest = () => remote.openConversation(conversationKey).catch(() => undefined);
    // A message that is gone is no reason to show nothing.
    if (target === undefined) void newest();
    else void remote.openAt(conversationKey, target).catch(newest);
  }, [remote, conversationKey, isUp, target]);
  useEffect(() => {
    // After the press that opened it: the row takes the focus when the button is let go.
    const timer = setTimeout(() => {
      // One that is opened at a message keeps the focus there.
      if (!isAtMessage) composer.current?.focus();
    });
    return () => clearTimeout(timer);
  }, [isAtMessage]);
  useMarkRead(conversation);
  useMarkDisplayed(conversation, list ?? nothing);

  const focusComposer = useCallback(() => composer.current?.focus(), []);
  const showProof = useCallback((message: MessageView) => setProof({ of: 'message', id: message.id }), []);
  const showFileProof = useCallback((file: FileView) => setProof({ of: 'file', id: file.id }), []);
  const pages = usePages(conversationKey);
  const name = useConversationName(conversation.peer);

  return (
    <section className={styles.pane} aria-label={text('conversation.title', { peer: name })} {...drop.handlers}>
      <ConversationHeader
        conversation={conversation}
        onSessionProof={() => setProof({ of: 'session' })}
        onDetails={() => setDetails(true)}
      />
      <ConversationDetails conversation={conversation} isOpen={isDetails} onClose={() => setDetails(false)} />
      <Transcript
        conversation={conversation}
        list={list ?? nothing}
        files={files}
        isLoading={list === undefined}
        onProof={showProof}
        onFileProof={showFileProof}
        onEarlier={pages.earlier}
        onNewer={pages.newer}
        onNewest={pages.newest}
        onSettled={focusComposer}
      />
      <ComposingLine conversation={conversation} />
      <Composer conversation={conversation} inputRef={composer} sending={sending} />
      {drop.isOver && (
        <p className={styles.drop} aria-hidden="true">
          {text('file.drop', { peer: name })}
        </p>
      )}
      <MessageProof message={proven} onClose={() => setProof(undefined)} />
      <FileProof file={provenFile} onClose={() => setProof(undefined)} />
      <SessionProof
        conversation={conversation}
        isOpen={proof?.of === 'session' && conversation.session?.evidence !== undefined}
        onClose={() => setProof(undefined)}
      />
    </section>
  );
}

/** More of the conversation, one page at a time. */
function usePages(key: ConversationKey) {
  const { remote } = useApp();
  const isLoading = useRef(false);
  return useMemo(() => {
    const one = (load: () => Promise<void>) => () => {
      if (isLoading.current) return;
      isLoading.current = true;
      // Fails only with the link, which has its own banner.
      void load()
        .catch(() => undefined)
        .finally(() => (isLoading.current = false));
    };
    return {
      earlier: one(() => remote.loadEarlier(key)),
      newer: one(() => remote.loadNewer(key)),
      newest: one(() => remote.openNewest(key)),
    };
  }, [remote, key]);
}

function useConversation(key: ConversationKey): ConversationView {
  const known = useRemote((state) => state.conversations.find((one) => keyText(one) === keyText(key)));
  return known ?? { ...key, unread: 0 };
}

/** What is on the screen of a window in use has been read. */
function useMarkRead({ accountId, peer, unread }: ConversationView): void {
  const { remote } = useApp();
  const isUp = useRemote((state) => state.link === 'up');
  useEffect(() => {
    if (unread === 0 || !isUp) return undefined;
    const mark = () => {
      // Fails only with the link; the count is still there when it returns.
      if (document.hasFocus()) void remote.client.call('markRead', { accountId, peer }).catch(() => undefined);
    };
    mark();
    window.addEventListener('focus', mark);
    return () => window.removeEventListener('focus', mark);
  }, [remote, accountId, peer, unread, isUp]);
}

import { ArrowLeft, Ellipsis, X } from 'lucide-react';
import { useState } from 'react';
import { Button as AriaButton } from 'react-aria-components';
import type { ConversationView } from '../../../src/contract/index.ts';
import { useApp, useRemote } from '../../app-context.tsx';
import { BridgeCallError } from '../../bridge/client.ts';
import { useTexts } from '../../i18n/text.tsx';
import { announce } from '../../ui/announcer.tsx';
import { Button } from '../../ui/button.tsx';
import { plainAddress } from '../../ui/names.ts';
import { Progress } from '../../ui/progress.tsx';
import { useConversationName } from '../contacts/use-peer-name.ts';
import { LevelBadge } from '../security/level-mark.tsx';
import styles from './conversation-header.module.css';

interface Props {
  readonly conversation: ConversationView;
  readonly onSessionProof: () => void;
  readonly onDetails: () => void;
}

export function ConversationHeader({ conversation, onSessionProof, onDetails }: Props) {
  const { text } = useTexts();
  const { screen } = useApp();
  const session = useSession(conversation);
  const { session: open, members } = conversation;
  const name = useConversationName(conversation.peer);
  return (
    <header className={styles.header}>
      <div className={styles.row}>
        <span className={styles.back}>
          <Button
            isIcon
            look="quiet"
            aria-label={text('conversations.back')}
            onPress={() => screen.getState().select(undefined)}
          >
            <ArrowLeft size={18} aria-hidden="true" />
          </Button>
        </span>
        <div className={styles.who}>
          <h2 className={styles.name}>{name}</h2>
          <p className={styles.address}>
            {members === undefined ? plainAddress(conversation.peer) : text('details.group', { count: members.length })}
          </p>
        </div>
        {open?.state === 'opening' && (
          <p className={styles.opening} role="status">
            <Progress /> {text('session.opening')}
          </p>
        )}
        {open?.state === 'open' && open.level !== undefined && (
          <AriaButton
            className={styles.proof ?? ''}
            aria-label={text('session.proof', { level: text(`level.${open.level}`) })}
            onPress={onSessionProof}
          >
            <span className={styles.sessionWord}>{text('session.open')}</span>
            <LevelBadge level={open.level} />
          </AriaButton>
        )}
        {open?.state === 'open' && (
          <Button size="small" onPress={() => session.close(open.id)}>
            {text('session.end')}
          </Button>
        )}
        {open === undefined && members === undefined && (
          <Button size="small" look="quiet" isBusy={session.isBusy} onPress={() => session.open()}>
            {text('session.start')}
          </Button>
        )}
        <Button isIcon size="small" look="quiet" aria-label={text('details.open', { peer: name })} onPress={onDetails}>
          <Ellipsis size={17} aria-hidden="true" />
        </Button>
      </div>
      {session.refusal !== undefined && (
        <div className={styles.refusal} role="alert">
          <p>
            <strong>{text('session.refused')}.</strong> {session.refusal}
          </p>
          <Button isIcon size="small" look="quiet" aria-label={text('session.dismiss')} onPress={session.dismiss}>
            <X size={16} aria-hidden="true" />
          </Button>
        </div>
      )}
    </header>
  );
}

function useSession({ accountId, peer }: ConversationView) {
  const { remote } = useApp();
  const { text } = useTexts();
  const isDown = useRemote((state) => state.link !== 'up');
  const [isCalling, setCalling] = useState(false);
  const [refusal, setRefusal] = useState<string>();

  const open = async () => {
    setCalling(true);
    setRefusal(undefined);
    try {
      const outcome = await remote.client.call('openSession', { accountId, to: peer });
      if (outcome.outcome === 'refused') setRefusal(outcome.refusal.explanation);
      else if (outcome.session.level !== undefined) {
        announce(text('session.proof', { level: text(`level.${outcome.session.level}`) }));
      }
    } catch (error) {
      if (!(error instanceof BridgeCallError)) throw error;
      setRefusal(error.message);
    } finally {
      setCalling(false);
    }
  };

  return {
    isBusy: isDown || isCalling,
    refusal,
    open: () => void open(),
    // Ended already, or the link is down, which has its own banner.
    close: (sessionId: string) =>
      void remote.client.call('closeSession', { accountId, sessionId }).catch(() => undefined),
    dismiss: () => setRefusal(undefined),
  };
}

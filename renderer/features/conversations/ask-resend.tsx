import { useState } from 'react';
import type { MessageView } from '../../../src/contract/index.ts';
import { useApp } from '../../app-context.tsx';
import { useTexts } from '../../i18n/text.tsx';
import { Button } from '../../ui/button.tsx';
import { usePeerName } from '../contacts/use-peer-name.ts';
import styles from './message-item.module.css';

/** The way to a message that could not be read: its sender is asked for it again. */
export function AskResend({ message }: { readonly message: MessageView }) {
  const { text } = useTexts();
  const { remote } = useApp();
  const peerName = usePeerName();
  const [isBusy, setBusy] = useState(false);
  const [said, setSaid] = useState<string>();
  const { accountId, conversation: peer, id: messageId, messageId: isNamed } = message;
  const words = (outcome: 'asked' | 'asked-enough' | 'without-id' | 'not-unreadable') =>
    text(`message.ask.${outcome}`, { peer: peerName(message.from) });
  const ask = async () => {
    setBusy(true);
    try {
      const { outcome } = await remote.client.call('askResend', { accountId, peer, messageId });
      setSaid(words(outcome));
    } catch {
      // The message is gone, or the link is down, which has its own banner.
    } finally {
      setBusy(false);
    }
  };
  return (
    <div className={styles.ask}>
      {isNamed === undefined ? (
        <p>{words('without-id')}</p>
      ) : (
        said === undefined && (
          <Button size="small" isBusy={isBusy} onPress={() => void ask()}>
            {text('message.ask')}
          </Button>
        )
      )}
      <p role="status">{said}</p>
    </div>
  );
}

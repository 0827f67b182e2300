import type { ConversationView } from '../../../src/contract/index.ts';
import { useTexts } from '../../i18n/text.tsx';
import { useConversationName } from '../contacts/use-peer-name.ts';
import styles from './composing-line.module.css';

/**
 * Says that the peer is writing. The place is always there, so that nothing moves; a screen reader says the words once when they
 * come and nothing when they go.
 */
export function ComposingLine({ conversation }: { readonly conversation: ConversationView }) {
  const { text } = useTexts();
  const name = useConversationName(conversation.peer);
  return (
    <p className={styles.line} role="status" aria-live="polite" aria-relevant="additions">
      {conversation.isPeerWriting === true && <span>{text('composing.peer', { peer: name })}</span>}
    </p>
  );
}

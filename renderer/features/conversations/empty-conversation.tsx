import type { ConversationView } from '../../../src/contract/index.ts';
import { useAccount } from '../../app-context.tsx';
import { useTexts } from '../../i18n/text.tsx';
import { useConversationName } from '../contacts/use-peer-name.ts';
import styles from './empty-conversation.module.css';

export function EmptyConversation({ conversation }: { readonly conversation: ConversationView }) {
  const { text } = useTexts();
  const account = useAccount();
  const name = useConversationName(conversation.peer);
  const policy = conversation.policy ?? account?.policy ?? 'prefer-e2e';
  return (
    <div className={styles.empty}>
      <p className={styles.title}>{text('conversation.empty')}</p>
      <p>
        {text('conversation.empty.meaning', {
          peer: name,
          policy: text(`policy.${policy}`),
        })}{' '}
        {text(`policy.${policy}.meaning`)}
      </p>
    </div>
  );
}

import type { RecipientState } from '../../../src/contract/index.ts';
import { useTexts } from '../../i18n/text.tsx';
import { usePeerName } from '../contacts/use-peer-name.ts';
import styles from './recipients.module.css';

/** What became of a message at each of those to whom it went. */
export function Recipients({ recipients }: { readonly recipients: readonly RecipientState[] }) {
  const { text } = useTexts();
  const peerName = usePeerName();
  return (
    <ul className={styles.list} aria-label={text('message.recipients')}>
      {recipients.map(({ address, state, problem }) => (
        <li key={address} title={problem?.explanation}>
          <span className={styles.name}>{peerName(address)}</span> {text(`message.state.${state}`)}
        </li>
      ))}
    </ul>
  );
}

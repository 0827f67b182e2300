import { LockKeyhole } from 'lucide-react';
import type { StorageView } from '../../../src/contract/index.ts';
import { useApp } from '../../app-context.tsx';
import { useTexts } from '../../i18n/text.tsx';
import { Button } from '../../ui/button.tsx';
import { PassphraseForm } from './passphrase-form.tsx';
import styles from './storage.module.css';

/** In place of everything else while the messages are not open: the passphrase, or the decision to go without. */
export function StorageScreen({ storage }: { readonly storage: StorageView }) {
  const { text } = useTexts();
  const { remote } = useApp();
  const { state, reason = '' } = storage;
  if (state === 'encrypted' || state === 'memory') return null;
  const { client } = remote;
  const skip = state === 'undecided' ? 'undecided' : 'locked';
  return (
    <section className={styles.screen} aria-labelledby="storage-title">
      <div className={styles.card}>
        <LockKeyhole size={22} aria-hidden="true" className={styles.lock} />
        <h2 id="storage-title" className={styles.title}>
          {text(`storage.${state}`)}
        </h2>
        <p className={styles.meaning}>{text(`storage.${state}.meaning`, { reason })}</p>
        {state === 'locked' && (
          <PassphraseForm
            kind="unlock"
            label={text('storage.unlock')}
            onSubmit={({ old }) => client.call('unlockStorage', { passphrase: old })}
          />
        )}
        {state === 'undecided' && (
          <PassphraseForm
            kind="set"
            label={text('storage.set')}
            onSubmit={({ fresh }) => client.call('setStoragePassphrase', { passphrase: fresh })}
          />
        )}
        <div className={styles.skip}>
          <Button
            size="small"
            look={state === 'unusable' ? 'plain' : 'quiet'}
            // Fails only with the link, which has its own banner.
            onPress={() => void client.call('skipStorage', {}).catch(() => undefined)}
          >
            {text(`storage.skip.${skip}`)}
          </Button>
          <p>{text(`storage.skip.${skip}.meaning`)}</p>
        </div>
      </div>
    </section>
  );
}

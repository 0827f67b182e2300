import { useState } from 'react';
import { Form } from 'react-aria-components';
import type { PassphraseOutcome } from '../../../src/contract/index.ts';
import { BridgeCallError } from '../../bridge/client.ts';
import { useTexts } from '../../i18n/text.tsx';
import { Button } from '../../ui/button.tsx';
import { Field } from '../../ui/field.tsx';
import styles from './storage.module.css';

const shortest = 8;

interface Props {
  /** `unlock` asks for the one that there is, `set` for a new one twice, `change` for both. */
  readonly kind: 'unlock' | 'set' | 'change';
  readonly label: string;
  readonly onSubmit: (given: { readonly old: string; readonly fresh: string }) => Promise<PassphraseOutcome>;
  readonly onDone?: () => void;
}

type Problem = { readonly field: 'old' | 'fresh' | 'again'; readonly words: string };

/** Asks for a passphrase, and forgets it as soon as it was given. */
export function PassphraseForm({ kind, label, onSubmit, onDone }: Props) {
  const { text } = useTexts();
  const [old, setOld] = useState('');
  const [fresh, setFresh] = useState('');
  const [again, setAgain] = useState('');
  const [problem, setProblem] = useState<Problem>();
  const [isBusy, setBusy] = useState(false);
  const isNew = kind !== 'unlock';
  const isOld = kind !== 'set';

  const wrong = (): Problem | undefined => {
    if (!isNew) return undefined;
    if (fresh.length < shortest) return { field: 'fresh', words: text('storage.passphrase.short') };
    return fresh === again ? undefined : { field: 'again', words: text('storage.passphrase.differs') };
  };

  const submit = async () => {
    const found = wrong();
    setProblem(found);
    if (found !== undefined || isBusy || (isOld && old === '')) return;
    setBusy(true);
    try {
      const result = await onSubmit({ old, fresh });
      if (result.outcome === 'wrong-passphrase') setProblem({ field: 'old', words: text('storage.passphrase.wrong') });
      else if (result.outcome === 'failed')
        setProblem({ field: isOld ? 'old' : 'fresh', words: result.explanation ?? '' });
      else {
        setFresh('');
        setAgain('');
        onDone?.();
      }
    } catch (error) {
      if (!(error instanceof BridgeCallError)) throw error;
      setProblem({ field: isOld ? 'old' : 'fresh', words: error.message });
    } finally {
      setOld('');
      setBusy(false);
    }
  };

  const field = (name: Problem['field'], words: string, value: string, change: (value: string) => void) => (
    <Field
      label={words}
      type="password"
      autoComplete={name === 'old' ? 'current-password' : 'new-password'}
      value={value}
      isReadOnly={isBusy}
      problem={problem?.field === name ? problem.words : undefined}
      hint={name === 'fresh' ? text('storage.passphrase.hint') : undefined}
      onChange={(typed) => {
        change(typed);
        setProblem(undefined);
      }}
    />
  );

  return (
    <Form
      className={styles.form ?? ''}
      validationBehavior="aria"
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      {isOld && field('old', text(isNew ? 'storage.passphrase.old' : 'storage.passphrase'), old, setOld)}
      {isNew && field('fresh', text('storage.passphrase.new'), fresh, setFresh)}
      {isNew && field('again', text('storage.passphrase.again'), again, setAgain)}
      <Button look={kind === 'change' ? 'plain' : 'primary'} type="submit" isBusy={isBusy}>
        {isBusy ? text('storage.unlocking') : label}
      </Button>
    </Form>
  );
}

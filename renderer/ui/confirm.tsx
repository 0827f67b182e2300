import { useState, type ReactNode } from 'react';
import { useTexts } from '../i18n/text.tsx';
import { Button } from './button.tsx';
import styles from './confirm.module.css';

interface Props {
  readonly label: string;
  /** What will happen, before it does. */
  readonly meaning: ReactNode;
  readonly yes: string;
  readonly onYes: () => void;
}

/** A button whose deed cannot be undone: it says first what will go, and does it only on a second press. */
export function Confirm({ label, meaning, yes, onYes }: Props) {
  const { text } = useTexts();
  const [isAsking, setAsking] = useState(false);
  if (!isAsking) {
    return (
      <Button size="small" onPress={() => setAsking(true)}>
        {label}
      </Button>
    );
  }
  return (
    <div className={styles.question} role="group" aria-label={label}>
      <p role="alert">{meaning}</p>
      <div className={styles.buttons}>
        <Button size="small" look="primary" onPress={onYes}>
          {yes}
        </Button>
        <Button size="small" autoFocus onPress={() => setAsking(false)}>
          {text('retention.cancel')}
        </Button>
      </div>
    </div>
  );
}

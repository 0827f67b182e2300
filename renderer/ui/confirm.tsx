import { useState, type ReactNode } from 'react';
import { useTexts } from '../i18n/text.tsx';
import { Button } from './button.tsx';
import styles from './confirm.module.css';
import { useFirstFocus } from './use-first-focus.ts';

interface QuestionProps {
  readonly label: string;
  /** What will happen, before it does. */
  readonly meaning: ReactNode;
  readonly yes: string;
  readonly onYes: () => void;
}

/** A button whose deed cannot be undone: it says first what will go, and does it only on a second press. */
export function Confirm(question: QuestionProps) {
  const [stage, setStage] = useState<'before' | 'asking' | 'left'>('before');
  if (stage === 'asking') return <Question {...question} onNo={() => setStage('left')} />;
  return <Ask label={question.label} hasFocus={stage === 'left'} onPress={() => setStage('asking')} />;
}

interface AskProps {
  readonly label: string;
  /** It was asked already and left: the keyboard is back where it was. */
  readonly hasFocus: boolean;
  readonly onPress: () => void;
}

function Ask({ label, hasFocus, onPress }: AskProps) {
  const ref = useFirstFocus<HTMLButtonElement>(hasFocus);
  return (
    <Button ref={ref} size="small" onPress={onPress}>
      {label}
    </Button>
  );
}

/** The question itself; the keyboard stands on the answer that changes nothing. */
export function Question({ label, meaning, yes, onYes, onNo }: QuestionProps & { readonly onNo: () => void }) {
  const { text } = useTexts();
  const no = useFirstFocus<HTMLButtonElement>();
  return (
    <div className={styles.question} role="group" aria-label={label}>
      <p role="alert">{meaning}</p>
      <div className={styles.buttons}>
        <Button size="small" look="primary" onPress={onYes}>
          {yes}
        </Button>
        <Button ref={no} size="small" onPress={onNo}>
          {text('retention.cancel')}
        </Button>
      </div>
    </div>
  );
}

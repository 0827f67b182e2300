import { TriangleAlert } from 'lucide-react';
import type { RegistrationState } from '../../../src/contract/index.ts';
import { useTexts } from '../../i18n/text.tsx';
import { classes } from '../../ui/class-names.ts';
import styles from './registration-mark.module.css';

/** Registration in words, with a shape of its own for each state: full, half, empty, warning. */
export function RegistrationMark({ registration }: { readonly registration: RegistrationState }) {
  const { text } = useTexts();
  const { state } = registration;
  return (
    <span className={styles.mark}>
      {state === 'failed' ? (
        <TriangleAlert size={12} className={styles.warning} aria-hidden="true" />
      ) : (
        <i className={classes(styles.shape, styles[state])} />
      )}
      {text(`registration.${state}`)}
    </span>
  );
}

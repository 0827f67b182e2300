import type { ProtectionLevel } from '../../../src/contract/index.ts';
import { useTexts } from '../../i18n/text.tsx';
import { LevelBadge } from '../security/level-mark.tsx';
import { moveBetweenMarks } from './move-between-marks.ts';
import styles from './proof-mark.module.css';

interface Props {
  readonly level: ProtectionLevel;
  /** True for the one mark of the transcript that the tabulator reaches; the arrows lead to the others. */
  readonly isReachable: boolean;
  readonly onReach: () => void;
  readonly onProof: () => void;
}

/** The level under a message or a file that was proven: a button that shows the proof. */
export function ProofMark({ level, isReachable, onReach, onProof }: Props) {
  const { text } = useTexts();
  return (
    <button
      type="button"
      className={styles.proof}
      data-mark
      tabIndex={isReachable ? 0 : -1}
      aria-haspopup="dialog"
      aria-label={text('message.proof', { level: text(`level.${level}`) })}
      onFocus={onReach}
      onClick={onProof}
      onKeyDown={moveBetweenMarks}
    >
      <LevelBadge level={level} />
    </button>
  );
}

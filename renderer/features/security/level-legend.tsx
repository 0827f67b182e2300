import type { ProtectionLevel } from '../../../src/contract/index.ts';
import { useTexts } from '../../i18n/text.tsx';
import styles from './level-legend.module.css';
import { LevelMark } from './level-mark.tsx';

const levels: readonly ProtectionLevel[] = ['e2e', 'e2ae', 'unverified', 'none'];

/** What is shown while no conversation is open: how to read the marks. */
export function LevelLegend() {
  const { text } = useTexts();
  return (
    <section className={styles.legend}>
      <h2 className={styles.title}>{text('welcome.title')}</h2>
      <p className={styles.text}>{text('welcome.text')}</p>
      <dl className={styles.levels} aria-label={text('welcome.levels')}>
        {levels.map((level) => (
          <div key={level} className={styles.level}>
            <dt>
              <LevelMark level={level} />
              {text(`level.${level}`)}
            </dt>
            <dd>{text(`level.${level}.meaning`)}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

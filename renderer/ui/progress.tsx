import styles from './progress.module.css';

/** Three tiles that light up in turn. Appears only after a second, so that quick things do not flicker. */
export function Progress() {
  return (
    <span className={styles.progress} aria-hidden="true">
      <i />
      <i />
      <i />
    </span>
  );
}

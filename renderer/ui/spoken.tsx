import type { ReactNode } from 'react';
import styles from './announcer.module.css';

/** Text for screen readers where sighted users see a shape or a place. */
export function Spoken({ children }: { readonly children: ReactNode }) {
  return <span className={styles.announcer}>{children}</span>;
}

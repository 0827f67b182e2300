import type { ProtectionLevel } from '../../../src/contract/index.ts';
import { useTexts } from '../../i18n/text.tsx';
import { classes } from '../../ui/class-names.ts';
import { Spoken } from '../../ui/spoken.tsx';
import styles from './level-mark.module.css';

/**
 * How far protection reaches, drawn as a way between two tiles. The shapes differ without colour:
 * e2e two full tiles joined; e2ae one full tile joined to a wall, the far tile open; unverified a broken line to a diamond;
 * none two open tiles and dots.
 */
export function LevelMark({ level }: { readonly level: ProtectionLevel }) {
  return (
    <svg className={classes(styles.mark, styles[level])} viewBox="0 0 30 10" width="30" height="10" aria-hidden="true">
      {shapes[level]}
    </svg>
  );
}

/** The mark with its words, or with words for screen readers only. */
export function LevelBadge({
  level,
  isShort = false,
}: {
  readonly level: ProtectionLevel;
  readonly isShort?: boolean;
}) {
  const { text } = useTexts();
  const words = text(`level.${level}`);
  return (
    <span className={classes(styles.badge, styles[level])} {...(isShort ? { title: words } : {})}>
      <LevelMark level={level} />
      {isShort ? <Spoken>{words}</Spoken> : <span className={styles.words}>{words}</span>}
    </span>
  );
}

const full = { width: 8, height: 8, y: 1, rx: 2, fill: 'currentColor' };
const open = { width: 6.5, height: 6.5, y: 1.75, rx: 1.5, fill: 'none', stroke: 'currentColor', strokeWidth: 1.5 };
const line = { stroke: 'currentColor', strokeWidth: 2 };

const shapes = {
  e2e: (
    <>
      <rect x="1" {...full} />
      <path d="M9 5H21" {...line} />
      <rect x="21" {...full} />
    </>
  ),
  e2ae: (
    <>
      <rect x="1" {...full} />
      <path d="M9 5H16" {...line} />
      <path d="M16.5 0V10" {...line} />
      <rect x="21.75" {...open} />
    </>
  ),
  unverified: (
    <>
      <rect x="1" {...full} />
      <path d="M10.5 5H20" {...line} strokeDasharray="3 2" />
      <path d="M25 1 29 5 25 9 21 5Z" fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinejoin="round" />
    </>
  ),
  none: (
    <>
      <rect x="1.75" {...open} />
      <path d="M11 5H20" stroke="currentColor" strokeWidth="2" strokeLinecap="round" strokeDasharray="0 4" />
      <rect x="21.75" {...open} />
    </>
  ),
} as const;

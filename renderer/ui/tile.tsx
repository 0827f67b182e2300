import styles from './tile.module.css';

/** The first letter of a name on a tile. Not a picture of identity: it says nothing that the name does not. */
export function Tile({ name, size = 'normal' }: { readonly name: string; readonly size?: 'normal' | 'small' }) {
  return (
    <span className={`${styles.tile ?? ''} ${styles[size] ?? ''}`} aria-hidden="true">
      {firstLetter(name)}
    </span>
  );
}

const letters = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

function firstLetter(name: string): string {
  const [first] = letters.segment(name);
  return first?.segment.toLocaleUpperCase() ?? '·';
}

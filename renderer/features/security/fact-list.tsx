import { classes } from '../../ui/class-names.ts';
import styles from './fact-list.module.css';

export interface Fact {
  readonly name: string;
  readonly value: string;
  /** The value is read octet by octet: groups of equal width, to be compared by eye. */
  readonly groups?: readonly string[];
}

export function FactList({
  facts,
  isTechnical = false,
}: {
  readonly facts: readonly Fact[];
  readonly isTechnical?: boolean;
}) {
  return (
    <dl className={classes(styles.facts, isTechnical && styles.technical)}>
      {facts.map(({ name, value, groups }) => (
        <div key={name} className={groups === undefined ? undefined : styles.wide}>
          <dt>{name}</dt>
          <dd>
            {groups === undefined ? (
              value
            ) : (
              <span className={styles.groups}>
                {groups.map((group, index) => (
                  <span key={index}>{group}</span>
                ))}
              </span>
            )}
          </dd>
        </div>
      ))}
    </dl>
  );
}

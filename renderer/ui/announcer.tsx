import { useEffect, useState } from 'react';
import styles from './announcer.module.css';

type Say = (text: string) => void;

const listeners = new Set<Say>();

/** Has a screen reader say `text` when it is free. */
export function announce(text: string): void {
  for (const say of listeners) say(text);
}

const spokenMilliseconds = 6_000;

/** The live region: lines are added and, once spoken, taken away again. */
export function Announcer() {
  const [lines, setLines] = useState<readonly { readonly id: number; readonly text: string }[]>([]);
  useEffect(() => {
    let ids = 0;
    const timers = new Set<ReturnType<typeof setTimeout>>();
    const say = (text: string) => {
      const id = ++ids;
      setLines((before) => [...before, { id, text }]);
      const timer = setTimeout(() => {
        timers.delete(timer);
        setLines((before) => before.filter((line) => line.id !== id));
      }, spokenMilliseconds);
      timers.add(timer);
    };
    listeners.add(say);
    return () => {
      listeners.delete(say);
      for (const timer of timers) clearTimeout(timer);
    };
  }, []);
  return (
    <div className={styles.announcer} aria-live="polite" aria-relevant="additions" data-announcer>
      {lines.map((line) => (
        <p key={line.id}>{line.text}</p>
      ))}
    </div>
  );
}

import { useSyncExternalStore } from 'react';
import { startOfDay } from './grouping.ts';

const checkMilliseconds = 30_000;

/** Midnight that began today, in milliseconds; changes while the page stays open over night. */
export function useToday(): number {
  return useSyncExternalStore(subscribe, () => startOfDay(Date.now()));
}

function subscribe(check: () => void): () => void {
  const timer = setInterval(check, checkMilliseconds);
  return () => clearInterval(timer);
}

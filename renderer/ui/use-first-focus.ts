import { useEffect, useRef, type RefObject } from 'react';

/** A ref to what takes the focus once it is there, since its user was led to it. */
export function useFirstFocus<T extends HTMLElement>(isWanted = true): RefObject<T | null> {
  const ref = useRef<T>(null);
  useEffect(() => {
    if (isWanted) ref.current?.focus();
  }, [isWanted]);
  return ref;
}

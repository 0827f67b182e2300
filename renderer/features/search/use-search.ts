import { useEffect, useRef, useState } from 'react';
import type { SearchPage } from '../../../src/contract/index.ts';
import { useApp } from '../../app-context.tsx';

/** Milliseconds without a key after which is searched. */
const pause = 120;

export interface Search {
  /** Of the text that was searched last; undefined before there is one. */
  readonly found: SearchPage | undefined;
  readonly problem: string | undefined;
  readonly more: () => void;
}

/** Searches as the user writes; an answer to what is not asked any more is dropped. */
export function useSearch(text: string): Search {
  const { remote } = useApp();
  const [found, setFound] = useState<SearchPage>();
  const [problem, setProblem] = useState<string>();
  const asked = useRef(0);
  const isEmpty = text.trim() === '';

  useEffect(() => {
    const number = ++asked.current;
    if (isEmpty) return undefined;
    const timer = setTimeout(() => {
      remote.client.call('search', { text }).then(
        (page) => {
          if (number !== asked.current) return;
          setFound(page);
          setProblem(undefined);
        },
        (error: unknown) => {
          if (number === asked.current) setProblem(error instanceof Error ? error.message : String(error));
        },
      );
    }, pause);
    return () => clearTimeout(timer);
  }, [remote, text, isEmpty]);

  const more = () => {
    const number = asked.current;
    if (found?.next === undefined) return;
    void remote.client
      .call('search', { text, after: found.next })
      .then((page) => {
        if (number === asked.current) setFound({ ...page, hits: [...found.hits, ...page.hits] });
      })
      // Fails only with the link, which has its own banner.
      .catch(() => undefined);
  };

  return isEmpty ? { found: undefined, problem: undefined, more } : { found, problem, more };
}

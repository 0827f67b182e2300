import type { KeyboardEvent } from 'react';

/** Arrow keys, Home and End move from one message's mark to another's through the whole conversation. */
export function moveBetweenMarks(event: KeyboardEvent<HTMLElement>): void {
  const { currentTarget, key } = event;
  const marks = [...currentTarget.ownerDocument.querySelectorAll<HTMLElement>('[data-mark]')];
  const at = marks.indexOf(currentTarget);
  const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: marks.length - 1 }[key];
  const next = to === undefined ? undefined : marks[to];
  if (next === undefined) return;
  event.preventDefault();
  next.focus();
}

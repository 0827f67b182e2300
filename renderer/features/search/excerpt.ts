import type { SearchHit } from '../../../src/contract/index.ts';

export interface Piece {
  readonly text: string;
  readonly isFound: boolean;
}

/** Characters shown before the first word that was found. */
const lead = 48;
const longest = 240;

/** A piece of a text around the words that were found in it, cut into found and other pieces. */
export function excerptOf({ message: { text }, matches }: SearchHit): readonly Piece[] {
  const first = matches[0]?.start ?? 0;
  const from = first <= lead ? 0 : startOfWord(text, first - lead);
  const to = Math.min(text.length, from + longest);
  const pieces: Piece[] = [];
  let at = from;
  const add = (end: number, isFound: boolean): void => {
    if (end > at) pieces.push({ text: text.slice(at, end), isFound });
    at = Math.max(at, end);
  };
  for (const { start, end } of matches) {
    if (start >= to) break;
    add(Math.max(start, at), false);
    add(Math.min(end, to), true);
  }
  add(to, false);
  if (from > 0) pieces.unshift({ text: '…', isFound: false });
  if (to < text.length) pieces.push({ text: '…', isFound: false });
  return pieces;
}

function startOfWord(text: string, near: number): number {
  const space = text.indexOf(' ', near);
  return space < 0 || space > near + lead ? near : space + 1;
}

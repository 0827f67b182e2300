import { limits } from '../limits.ts';

export interface TextSpan {
  /** In UTF-16 units. */
  readonly start: number;
  readonly end: number;
}

const wordPattern = /[\p{L}\p{N}][\p{L}\p{N}\p{M}]*/gu;

/** Letters of today's Unicode that SQLite takes for signs, so that they part words there. */
const signsOfSqlite = /[\u19b0-\u19c0\u19c8\u19c9\u1cf2\u1cf3]/g;

/** The words of a query, folded; operators, quotes and other signs are none. */
export function searchWords(query: string): readonly string[] {
  const words = query.slice(0, limits.searchTextLength).replace(signsOfSqlite, ' ').match(wordPattern) ?? [];
  return [...new Set(words.map(fold))].filter((word) => word !== '').slice(0, limits.searchWords);
}

/** Where words of a text begin with one of `words`: the whole word, in order and apart. */
export function findWords(text: string, words: readonly string[]): readonly TextSpan[] {
  const spans: TextSpan[] = [];
  for (const { 0: word, index } of text.matchAll(wordPattern)) {
    const folded = fold(word);
    if (words.some((wanted) => folded.startsWith(wanted))) spans.push({ start: index, end: index + word.length });
  }
  return spans;
}

/** Every one of `words` is in the text, as a word or as the beginning of one. */
export function hasWords(text: string, words: readonly string[]): boolean {
  const folded = (text.match(wordPattern) ?? []).map(fold);
  return words.every((wanted) => folded.some((word) => word.startsWith(wanted)));
}

/** Without case and diacritics, as SQLite's `unicode61 remove_diacritics 2` does it. */
function fold(word: string): string {
  return word.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
}

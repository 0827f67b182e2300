import { z } from 'zod';
import { messageView } from './views.ts';

/** Longest text to search for, in UTF-16 units. */
export const maxSearchLength = 200;

export const searchHit = z.object({
  message: messageView,
  /** Where the words stand in its text, in UTF-16 units, in order and apart. */
  matches: z.array(z.object({ start: z.int().min(0), end: z.int().min(0) })).readonly(),
});
export type SearchHit = z.infer<typeof searchHit>;

export const searchPage = z.object({
  /** Newest first. */
  hits: z.array(searchHit).readonly(),
  /** There is more: for `after` of the next query. */
  next: z.string().optional(),
});
export type SearchPage = z.infer<typeof searchPage>;

import { expect, it } from 'vitest';
import { readRetryAfter } from '../../src/node/key-management.ts';

const now = Date.UTC(2026, 10, 6, 8, 49, 37);

it.each([
  ['120', 120],
  [' 0 ', 0],
  ['Fri, 06 Nov 2026 08:50:37 GMT', 60],
  ['Friday, 06-Nov-26 08:50:37 GMT', 60],
  ['Fri, 06 Nov 2026 08:00:00 GMT', 0],
  ['-5', undefined],
  ['1.5', undefined],
  ['soon', undefined],
  ['2026', 2026],
  ['', undefined],
  [undefined, undefined],
  ['99999999999999999999', undefined],
])('Retry-After %j is %j seconds', (value, seconds) => {
  expect(readRetryAfter(value, now)).toBe(seconds);
});

import { timingSafeEqual } from 'node:crypto';

/** Compares secrets in a time that depends on their length only. Different lengths are unequal. */
export function constantTimeEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

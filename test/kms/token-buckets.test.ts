import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { TokenBuckets } from '../../src/kms/token-buckets.ts';

const start = Date.UTC(2026, 0, 1);
const rate = { perSecond: 2, burst: 3 };

describe('a token bucket', () => {
  it('gives its burst at once, then one at a time as it refills, and says how long to wait', () => {
    const buckets = new TokenBuckets(rate, 10);
    expect([1, 2, 3, 4].map(() => buckets.take('a', start))).toEqual([undefined, undefined, undefined, 1]);
    expect(buckets.take('a', start + 499)).toBe(1);
    expect(buckets.take('a', start + 500)).toBeUndefined();
    expect(buckets.take('a', start + 501)).toBe(1);
    expect(buckets.take('b', start + 501)).toBeUndefined();
  });

  it('says long waits in whole seconds', () => {
    const buckets = new TokenBuckets({ perSecond: 0.1, burst: 1 }, 10);
    expect(buckets.take('a', start)).toBeUndefined();
    expect(buckets.take('a', start)).toBe(10);
    expect(buckets.take('a', start + 9500)).toBe(1);
    expect(buckets.take('a', start + 10_000)).toBeUndefined();
  });

  it('holds no more than its burst however long nobody asks', () => {
    const buckets = new TokenBuckets(rate, 10);
    buckets.take('a', start);
    const later = start + 3600_000;
    expect([1, 2, 3, 4].map(() => buckets.take('a', later))).toEqual([undefined, undefined, undefined, 1]);
  });

  it('gives nothing for a clock that is set back, and goes on when it has caught up', () => {
    const buckets = new TokenBuckets({ perSecond: 1, burst: 1 }, 10);
    expect(buckets.take('a', start)).toBeUndefined();
    expect(buckets.take('a', start - 60_000)).toBe(1);
    expect(buckets.take('a', start)).toBe(1);
    expect(buckets.take('a', start + 1000)).toBeUndefined();
  });

  it('never gives more than burst and rate allow, whatever the order of times', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 5000 }), { maxLength: 200 }), (steps) => {
        const buckets = new TokenBuckets(rate, 2);
        let now = start;
        let given = 0;
        for (const step of steps) {
          now += step;
          if (buckets.take('a', now) === undefined) given++;
        }
        expect(given).toBeLessThanOrEqual(rate.burst + ((now - start) / 1000) * rate.perSecond);
      }),
      { seed: 3, numRuns: 200 },
    );
  });
});

describe('the memory for buckets', () => {
  it('forgets those that have refilled, and no other', () => {
    const buckets = new TokenBuckets(rate, 3);
    for (const key of ['a', 'b', 'c']) buckets.take(key, start);
    expect(buckets.size).toBe(3);
    buckets.take('d', start + 500);
    expect(buckets.size).toBe(1);
  });

  it('makes newcomers share when it is full, so that many addresses win nothing', () => {
    const buckets = new TokenBuckets({ perSecond: 1, burst: 2 }, 4);
    for (const key of ['a', 'a', 'b', 'b', 'c', 'c', 'd', 'd']) buckets.take(key, start);
    const passed = Array.from({ length: 1000 }, (_, index) => buckets.take(`new ${index}`, start)).filter(
      (wait) => wait === undefined,
    );
    expect(passed).toHaveLength(32);
    expect(buckets.size).toBe(4);
    expect(buckets.take('a', start)).toBe(1);
    expect(buckets.take('new again', start + 1000)).toBeUndefined();
  });

  it('never grows beyond its bound', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 900 }))), (calls) => {
        const buckets = new TokenBuckets(rate, 5);
        let now = start;
        for (const [key, step] of calls) {
          buckets.take(String(key), (now += step));
          expect(buckets.size).toBeLessThanOrEqual(5);
        }
      }),
      { seed: 4, numRuns: 100 },
    );
  });
});

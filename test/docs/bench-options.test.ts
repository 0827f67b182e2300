import { describe, expect, it } from 'vitest';
import { BenchUsageError, benchUsage, readBenchOptions } from '../bench/bench-options.ts';

const choices = { suites: ['msrp', 'message', 'kms'], parts: ['files', 'latency'] };

describe('The options of the benchmarks', () => {
  it('choose everything by default', () => {
    expect(readBenchOptions([], choices)).toEqual({
      suites: choices.suites,
      parts: [],
      size: 256,
      rounds: 3,
      messages: 20_000,
      stored: 1_000_000,
      fileSizes: [64, 1024, 4096],
      profile: undefined,
    });
  });

  it('choose suites, parts of the msrp suite, and sizes', () => {
    expect(readBenchOptions(['kms', 'message'], choices).suites).toEqual(['kms', 'message']);
    expect(readBenchOptions(['--part', 'files', '--part', 'latency', '--file-sizes', '1,2'], choices)).toMatchObject({
      suites: ['msrp'],
      parts: ['files', 'latency'],
      fileSizes: [1, 2],
    });
  });

  it.each([
    ['a suite that does not exist', ['mrsp'], 'no suite is called mrsp'],
    ['a part that does not exist', ['msrp', '--part', 'file'], 'no part is called file'],
    ['a part of another suite', ['kms', '--part', 'files'], '--part belongs to the msrp suite alone'],
    ['an option that does not exist', ['--fast'], '--fast'],
    ['a size that is none', ['--size', '0'], '--size takes a whole number from 1 on'],
  ])('refuse %s', (_, args, problem) => {
    const read = (): unknown => readBenchOptions(args, choices);
    expect(read).toThrow(BenchUsageError);
    expect(read).toThrow(problem);
  });

  it('are explained', () => {
    for (const name of [...choices.suites, ...choices.parts]) expect(benchUsage(choices)).toContain(name);
  });
});

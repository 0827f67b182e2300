import { describe, expect, it } from 'vitest';
import { summarize, type StepResult } from './closing-summary.ts';
import type { Outcome } from './outcome.ts';

const openssl = { reason: 'openssl is not installed', packages: ['openssl'] };
const ipv6 = { reason: 'this machine has no ::1', packages: [] };

const outcome = (given: Partial<Outcome> = {}): Outcome => ({ passed: 3, failed: 0, skipped: [], files: [], ...given });

const tests = (given: Partial<StepResult> = {}): StepResult => ({
  name: 'unit tests',
  milliseconds: 1_500,
  isOk: true,
  runsTests: true,
  outcome: outcome(),
  ...given,
});

const check = (isOk: boolean): StepResult => ({ name: 'types', milliseconds: 2_000, isOk, runsTests: false });

const lastLine = (text: string): string | undefined => text.split('\n').at(-1);

describe('the summary that closes a test run', () => {
  it('tells how many ran, how many were skipped, and why', () => {
    const { isOk, text } = summarize(
      [
        check(true),
        tests({ outcome: outcome({ skipped: [{ lacks: [ipv6], tests: 1 }] }) }),
        tests({ outcome: outcome({ passed: 0, skipped: [{ lacks: [openssl], tests: 2 }] }) }),
        tests({ outcome: outcome({ passed: 4, skipped: [{ lacks: [openssl], tests: 5 }] }) }),
      ],
      false,
    );
    expect(isOk).toBe(true);
    expect(lastLine(text)).toBe('7 ran, 8 skipped (openssl is not installed: 7; this machine has no ::1: 1)');
    expect(text).toContain('      7  openssl is not installed (Debian: openssl)\n');
    expect(text).toContain('apt-get install openssl\n');
    expect(text).not.toContain('FAILED');
  });

  it('tells what took longest', () => {
    const files = Array.from({ length: 12 }, (_, index) => ({ file: `file${index}`, milliseconds: index * 1_000 }));
    const { text } = summarize([check(true), tests({ outcome: outcome({ files }) })], false);
    expect(text).toMatch(/ 2\.0 s {2}types\n +1\.5 s {2}unit tests\n +11\.0 s +file11\n +10\.0 s +file10\n/);
    expect(text).toContain('file2');
    expect(text).not.toMatch(/file[01]\n/);
  });

  it.each<readonly [string, readonly StepResult[], boolean, RegExp]>([
    ['a check that fails', [check(false)], false, /FAILED\n {2}types\n/],
    [
      'a test that fails',
      [tests({ isOk: false, outcome: outcome({ failed: 2 }) })],
      false,
      /FAILED\n {2}unit tests\n\n5 ran, 2 of them failed, 0 skipped$/,
    ],
    ['tests that end without an outcome', [tests(), tests({ outcome: undefined })], false, /left no outcome/],
    ['a step without any test', [tests(), tests({ outcome: outcome({ passed: 0 }) })], false, /no test to run/],
    ['a run without any test', [check(true)], false, /no test ran/],
    [
      'a run that skipped everything',
      [tests({ outcome: outcome({ passed: 0, skipped: [{ lacks: [openssl], tests: 3 }] }) })],
      false,
      /no test ran/,
    ],
    [
      'a test that is skipped without a reason',
      [tests({ outcome: outcome({ skipped: [{ lacks: [], tests: 1 }] }) })],
      false,
      /1 skipped, and nothing says why/,
    ],
    [
      'a program that is absent where everything has to be there',
      [tests({ outcome: outcome({ skipped: [{ lacks: [openssl], tests: 1 }] }) })],
      true,
      /everything has to be there, and openssl is not/,
    ],
  ])('fails for %s', (_, steps, mustBeComplete, words) => {
    const { isOk, text } = summarize(steps, mustBeComplete);
    expect(isOk).toBe(false);
    expect(text).toMatch(words);
    expect(lastLine(text)).toMatch(/^\d+ ran, (\d+ of them failed, )?\d+ skipped( \(.*\))?$/);
  });

  it('lets what no package can bring be skipped where everything has to be there', () => {
    const skipped = [{ lacks: [ipv6], tests: 1 }];
    expect(summarize([tests({ outcome: outcome({ skipped }) })], true)).toMatchObject({ isOk: true });
  });
});

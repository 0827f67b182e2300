import { lackInWords } from '../support/needs/needs.ts';
import { mergeSkipped, type Outcome } from './outcome.ts';

/** A step of the whole test run. */
export interface StepResult {
  readonly name: string;
  readonly milliseconds: number;
  /** Whether its command ended with status 0. */
  readonly isOk: boolean;
  /** Of a step that runs tests; `undefined` when it left none. */
  readonly outcome?: Outcome | undefined;
  /** Whether it should have left an outcome. */
  readonly runsTests: boolean;
}

export interface ClosingSummary {
  readonly isOk: boolean;
  /** Lines for people; the last one is `N ran, M skipped (reasons)`. */
  readonly text: string;
}

const slowFiles = 10;

/**
 * What a whole test run came to. It fails when a step did, when a step ran no test and skipped none, when a test was skipped
 * without a reason, and, if everything has to be there, when one was skipped that a package of Debian would let run.
 */
export function summarize(steps: readonly StepResult[], mustBeComplete: boolean): ClosingSummary {
  const outcomes = steps.flatMap(({ outcome }) => (outcome === undefined ? [] : [outcome]));
  const skipped = mergeSkipped(outcomes.flatMap((outcome) => outcome.skipped));
  const total = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);
  const failed = total(outcomes.map((outcome) => outcome.failed));
  const ran = total(outcomes.map(({ passed }) => passed)) + failed;
  const packages = [...new Set(skipped.flatMap(({ lacks }) => lacks.flatMap((lack) => lack.packages)))];

  const problems = steps.flatMap(problemsOf);
  if (ran === 0) problems.push('no test ran');
  if (mustBeComplete && packages.length > 0)
    problems.push(`everything has to be there, and ${packages.join(', ')} is not`);

  const lines = ['', 'What took longest:', ...longest(steps)];
  if (skipped.length > 0) {
    lines.push('', 'Skipped:');
    for (const { lacks, tests } of skipped)
      lines.push(`${String(tests).padStart(7)}  ${lacks.map(lackInWords).join(' and ')}`);
  }
  if (packages.length > 0) lines.push('', `To run these too: apt-get install ${packages.join(' ')}`);
  if (problems.length > 0) lines.push('', 'FAILED', ...problems.map((problem) => `  ${problem}`));
  const reasons = skipped.map(({ lacks, tests }) => `${lacks.map(({ reason }) => reason).join(' and ')}: ${tests}`);
  const failures = failed === 0 ? '' : `${failed} of them failed, `;
  const skippedTests = total(skipped.map(({ tests }) => tests));
  lines.push(
    '',
    `${ran} ran, ${failures}${skippedTests} skipped${reasons.length === 0 ? '' : ` (${reasons.join('; ')})`}`,
  );
  return { isOk: problems.length === 0, text: lines.join('\n') };
}

function problemsOf({ name, isOk, runsTests, outcome }: StepResult): string[] {
  if (!isOk) return [name];
  if (!runsTests) return [];
  if (outcome === undefined) return [`${name}: it left no outcome`];
  const counts = [outcome.passed, outcome.failed, ...outcome.skipped.map(({ tests }) => tests)];
  if (counts.every((count) => count === 0)) return [`${name}: there was no test to run`];
  const silent = outcome.skipped.find(({ lacks }) => lacks.length === 0);
  return silent === undefined ? [] : [`${name}: ${silent.tests} skipped, and nothing says why`];
}

const slowestFirst = (a: { readonly milliseconds: number }, b: { readonly milliseconds: number }): number =>
  b.milliseconds - a.milliseconds;

function longest(steps: readonly StepResult[]): string[] {
  const files = steps.flatMap(({ outcome }) => outcome?.files ?? []).sort(slowestFirst);
  return [
    ...[...steps].sort(slowestFirst).map(({ name, milliseconds }) => inSeconds(milliseconds, name)),
    ...files.slice(0, slowFiles).map(({ file, milliseconds }) => inSeconds(milliseconds, `  ${file}`)),
  ];
}

const inSeconds = (milliseconds: number, what: string): string =>
  `${(milliseconds / 1000).toFixed(1).padStart(7)} s  ${what}`;

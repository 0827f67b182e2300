import { writeFileSync } from 'node:fs';
import type { Reporter, TestCase, TestModule } from 'vitest/node';
import { lackInWords } from '../support/needs/needs.ts';
import { mergeSkipped, outcomeVariable, type Outcome, type Skipped } from './outcome.ts';

/**
 * Says of each file what was skipped and why, and leaves the outcome of the run in the file that the environment names
 * (`TESSERA_TEST_OUTCOME`), if it names one.
 */
export class OutcomeReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const count = (state: string): number => tests.filter((test) => test.result().state === state).length;
    const outcome: Outcome = {
      passed: count('passed'),
      failed: count('failed'),
      skipped: mergeSkipped(modules.flatMap(skippedIn)),
      files: modules.map((module) => ({ file: module.relativeModuleId, milliseconds: timeOf(module) })),
    };
    for (const module of modules) {
      for (const skipped of skippedIn(module)) process.stdout.write(`${line(module.relativeModuleId, skipped)}\n`);
    }
    const path = process.env[outcomeVariable];
    if (path !== undefined) writeFileSync(path, JSON.stringify(outcome));
  }
}

const skippedIn = (module: TestModule): Skipped[] =>
  mergeSkipped([...module.children.allTests('skipped')].map((test) => ({ lacks: lacksOf(test), tests: 1 })));

const lacksOf = (test: TestCase): Skipped['lacks'] =>
  (test.meta().lacks ?? []).map(({ reason, packages }) => ({ reason, packages: [...packages] }));

function timeOf(module: TestModule): number {
  const { collectDuration, duration } = module.diagnostic();
  return Math.round(collectDuration + duration);
}

/** `17 tests skipped in test/interop/openssl-cms.test.ts: openssl is not installed (Debian: openssl)` */
function line(file: string, { tests, lacks }: Skipped): string {
  const why = lacks.length === 0 ? 'nothing says why' : lacks.map(lackInWords).join(' and ');
  return `${tests} ${tests === 1 ? 'test' : 'tests'} skipped in ${file}: ${why}`;
}

import { z } from 'zod';

const skippedSchema = z.object({
  /** What lacks; empty where the test does not say why it is skipped. */
  lacks: z.array(z.object({ reason: z.string(), packages: z.array(z.string()) })),
  tests: z.number().int().nonnegative(),
});

const outcomeSchema = z.object({
  passed: z.number().int().nonnegative(),
  failed: z.number().int().nonnegative(),
  /** By what lacks. */
  skipped: z.array(skippedSchema),
  files: z.array(z.object({ file: z.string(), milliseconds: z.number().nonnegative() })),
});

/** What was skipped for want of the same things. */
export type Skipped = z.infer<typeof skippedSchema>;

/** What a run of tests came to: counts of tests, and how long each file took. */
export type Outcome = z.infer<typeof outcomeSchema>;

/** The environment variable that names the file for the outcome of a run. */
export const outcomeVariable = 'TESSERA_TEST_OUTCOME';

/** @throws Error when it is not the JSON of an outcome. */
export const readOutcome = (json: string): Outcome => outcomeSchema.parse(JSON.parse(json));

/** Several lists of what was skipped as one, the most tests first. */
export function mergeSkipped(all: readonly Skipped[]): Skipped[] {
  const merged = new Map<string, Skipped>();
  for (const skipped of all) {
    const key = JSON.stringify(skipped.lacks);
    merged.set(key, { ...skipped, tests: skipped.tests + (merged.get(key)?.tests ?? 0) });
  }
  return [...merged.values()].sort((a, b) => b.tests - a.tests);
}

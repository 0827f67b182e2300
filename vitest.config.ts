import { defineConfig } from 'vitest/config';
import { OutcomeReporter } from './test/all/outcome-reporter.ts';

/** Run by commands of their own, or not tests at all. */
const apart = ['test/interop/**', 'test/e2e/**', 'test/bench/**', 'test/fuzz/**'];

/**
 * Tests that leave nothing behind in their process: their files run one after the other in the same few, which have what they
 * import loaded already. What replaces modules, changes globals or renders pages gets a process for each file.
 */
const sharing = ['base', 'crypto', 'contract', 'protocol', 'engine', 'kms', 'lab', 'node', 'docs'].map(
  (folder) => `test/${folder}/**/*.test.ts`,
);

export default defineConfig({
  test: {
    reporters: ['default', new OutcomeReporter()],
    maxWorkers: 3,
    coverage: { provider: 'v8', include: ['src/**', 'electron/**'] },
    projects: [
      { extends: true, test: { name: 'sharing', include: sharing, isolate: false } },
      {
        extends: true,
        test: { name: 'apart', include: ['test/**/*.test.ts', 'test/**/*.test.tsx'], exclude: [...apart, ...sharing] },
      },
    ],
    setupFiles: ['test/support/after-each-file.ts'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});

import { defineConfig } from 'vitest/config';
import { OutcomeReporter } from './test/all/outcome-reporter.ts';

export default defineConfig({
  test: {
    reporters: ['default', new OutcomeReporter()],
    include: ['test/**/*.test.ts', 'test/**/*.test.tsx'],
    exclude: ['test/interop/**', 'test/e2e/**', 'test/bench/**', 'test/fuzz/**'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    maxWorkers: 3,
    coverage: { provider: 'v8', include: ['src/**', 'electron/**'] },
  },
});

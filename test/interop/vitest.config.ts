import { defineConfig } from 'vitest/config';
import { OutcomeReporter } from '../all/outcome-reporter.ts';

export default defineConfig({
  test: {
    reporters: ['default', new OutcomeReporter()],
    include: ['test/interop/**/*.test.ts'],
    testTimeout: 60_000,
    fileParallelism: false,
  },
});

import { defineConfig } from 'vitest/config';
import { OutcomeReporter } from '../all/outcome-reporter.ts';

export default defineConfig({
  test: {
    setupFiles: ['test/support/after-each-file.ts'],
    reporters: ['default', new OutcomeReporter()],
    include: ['test/interop/**/*.test.ts'],
    testTimeout: 60_000,
    fileParallelism: false,
  },
});

import { defineConfig } from 'vitest/config';
import { OutcomeReporter } from '../all/outcome-reporter.ts';

export default defineConfig({
  test: {
    setupFiles: ['test/support/after-each-file.ts'],
    reporters: ['default', new OutcomeReporter()],
    include: ['test/e2e/**/*.test.ts'],
    globalSetup: ['test/e2e/support/global-setup.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // One browser at a time: the machine is shared with the lab that the pages talk to.
    fileParallelism: false,
  },
});

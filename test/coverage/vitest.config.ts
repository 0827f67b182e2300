import { defineConfig } from 'vitest/config';
import { OutcomeReporter } from '../all/outcome-reporter.ts';

/** Branch coverage of MIKEY and of the KMS by the tests that run them, with a real PostgreSQL among them. */
export default defineConfig({
  test: {
    setupFiles: ['test/support/after-each-file.ts'],
    reporters: ['default', new OutcomeReporter()],
    include: [
      'test/protocol/mikey/**/*.test.ts',
      'test/kms/**/*.test.ts',
      'test/lab/**/*.test.ts',
      'test/engine/tickets/**/*.test.ts',
      'test/cli/inspect/**/*.test.ts',
      'test/integration/{certificates,gba}.test.ts',
      'test/interop/kms-{postgres,replicas}.test.ts',
    ],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
    coverage: {
      enabled: true,
      provider: 'v8',
      include: ['src/protocol/mikey/**', 'src/kms/**'],
      reporter: ['text', 'json'],
      reportsDirectory: 'coverage/key-management',
      reportOnFailure: true,
      thresholds: { branches: 95 },
    },
  },
});

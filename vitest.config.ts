import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'test/**/*.test.tsx'],
    exclude: ['test/interop/**', 'test/e2e/**', 'test/bench/**', 'test/fuzz/**'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    maxWorkers: 3,
    coverage: { provider: 'v8', include: ['src/**', 'electron/**'] },
  },
});

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'test/**/*.test.tsx'],
    exclude: ['test/interop/**', 'test/e2e/**', 'test/bench/**', 'test/fuzz/**'],
    testTimeout: 20_000,
    coverage: { provider: 'v8', include: ['src/**', 'electron/**'] },
  },
});

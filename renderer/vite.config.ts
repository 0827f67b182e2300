import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/** The screens as plain files that work below any origin and under `default-src 'self'`: nothing inline, nothing remote. */
export default defineConfig({
  root: import.meta.dirname,
  base: './',
  plugins: [react()],
  build: {
    outDir: '../dist/renderer',
    emptyOutDir: true,
    target: 'chrome130',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    // One local file: splitting it would gain nothing.
    chunkSizeWarningLimit: 1500,
  },
});

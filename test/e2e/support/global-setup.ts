import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { lackOfChromium } from './browser.ts';

/** Builds the screens that the tests look at. */
export default async function setUp(): Promise<void> {
  if (lackOfChromium !== undefined) return;
  // The test runner's own value would build the screens for development.
  const { NODE_ENV } = process.env;
  process.env.NODE_ENV = 'production';
  await build({
    configFile: fileURLToPath(new URL('../../../renderer/vite.config.ts', import.meta.url)),
    logLevel: 'error',
  });
  process.env.NODE_ENV = NODE_ENV;
}

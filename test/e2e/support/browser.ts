import { fileURLToPath } from 'node:url';
import { chromium, type Browser } from 'playwright-core';
import { findProgram } from '../../support/needs/find-program.ts';
import type { Lack } from '../../support/needs/needs.ts';

const chromiumPath = process.env.CHROMIUM_PATH ?? findProgram('chromium', 'chromium-browser');

/** Undefined where Chromium is on the PATH, or at the CHROMIUM_PATH of the environment. */
export const lackOfChromium: Lack | undefined =
  chromiumPath === undefined ? { reason: 'chromium is not installed', packages: ['chromium'] } : undefined;

/** Where the screens are built to. */
export const rendererDir = fileURLToPath(new URL('../../../dist/renderer', import.meta.url));

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    ...(chromiumPath === undefined ? {} : { executablePath: chromiumPath }),
    args: [
      '--no-sandbox',
      '--headless',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

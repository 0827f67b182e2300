import type { Browser } from 'playwright-core';
import { startConsole, type Console } from '../../../src/lab/console/index.ts';
import { ScriptedHost, type Script } from '../../support/scripted-host.ts';
import { rendererDir } from './browser.ts';
import { Screens, type ScreensOptions } from './screens.ts';

export interface ScriptedPage {
  readonly host: ScriptedHost;
  readonly console: Console;
  readonly screens: Screens;
  close(): Promise<void>;
}

/** The screens on the real console, with a script in place of the engine. */
export async function openScripted(
  browser: Browser,
  { script = {}, prepare = () => undefined, ...options }: ScriptedOptions = {},
): Promise<ScriptedPage> {
  const host = new ScriptedHost({}, script);
  prepare(host);
  const page = await startConsole({ host, title: 'Tessera', rendererDir });
  const screens = await Screens.open(browser, page.url, options);
  return {
    host,
    console: page,
    screens,
    async close() {
      await screens.close();
      await page.stop();
    },
  };
}

interface ScriptedOptions extends ScreensOptions {
  readonly script?: Partial<Script>;
  readonly prepare?: (host: ScriptedHost) => void;
}

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLogger } from '../../src/base/log.ts';
import { newMarker, startParty } from '../../src/cli/demo/parties.ts';
import { accountFromUeConfig, checkUeConfig } from '../../src/cli/ue-config.ts';
import { Engine } from '../../src/engine/engine.ts';
import { createMemoryStore, type Store } from '../../src/engine/store/index.ts';
import { startConsole } from '../../src/lab/console/index.ts';
import { startLab, type Lab } from '../../src/lab/lab.ts';
import { createAccountHost } from '../../src/node/bridge/account-host.ts';
import { createStorageGate } from '../../src/node/bridge/storage-gate.ts';
import { createEnginePorts } from '../../src/node/create-engine-ports.ts';
import { openStore } from '../../src/node/store/open-store.ts';
import { changeStorePassphrase, hasStorePassphrase } from '../../src/node/store/store-key.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { lackOfChromium, launchBrowser, rendererDir } from './support/browser.ts';
import { Screens } from './support/screens.ts';
import { needing } from '../support/needs/needs.ts';

const passphrase = 'several words of mine';

/** Alice at the console, with her messages in `folder`: from the start of the program to its end. */
async function sitDown(browser: Browser, lab: Lab, folder: string) {
  const running: { engine: Engine; store: Store }[] = [];
  const gate = createStorageGate({
    open: (given) => openStore({ folder, ...(given === undefined ? {} : { passphrase: given }) }),
    memory: (reason) => ({ store: createMemoryStore({ reason }) }),
    changePassphrase: (old, fresh) => changeStorePassphrase(folder, old, fresh),
    hasPassphrase: () => hasStorePassphrase(folder),
    hasKeychain: () => Promise.resolve(false),
    async start({ store }, storage) {
      const engine = new Engine(await createEnginePorts({ log: silentLogger, store }));
      running.push({ engine, store });
      const { config, secrets } = accountFromUeConfig(checkUeConfig(lab.ueConfig('alice')));
      const account = engine.addAccount(config, secrets);
      await account.register();
      return createAccountHost([account], { profile: engine, storage });
    },
  });
  await gate.begin();
  const page = await startConsole({ host: gate.host, title: 'alice', rendererDir });
  const screens = await Screens.open(browser, page.url);
  return {
    screens,
    async leave() {
      await screens.close();
      await page.stop();
      for (const { engine, store } of running) {
        await engine.stop();
        await store.close();
      }
      expect(screens.errors).toEqual([]);
    },
  };
}

/** Of a message that the network or the other side has taken. */
async function levelOfSent(screens: Screens, text: string): Promise<string> {
  const sent = screens.message(text).filter({ hasText: /Sent|Delivered|Displayed/ });
  await sent.waitFor({ timeout: 60_000 });
  return sent.locator('[data-mark]').innerText();
}

describe('what was said, over restarts', needing(lackOfChromium), () => {
  let browser: Browser;
  let lab: Lab;

  beforeAll(async () => {
    browser = await launchBrowser();
    lab = await startLab();
  });
  afterAll(async () => {
    await lab.stop();
    await browser.close();
  });

  it('stays under a passphrase, is found by search, and what was written offline goes when it can', async () => {
    const folder = temporaryFolder('console-messages');
    const bob = await startParty(lab, await createEnginePorts({ log: silentLogger }), 'bob');
    const [first, second] = [`Harbour ${newMarker()}`, newMarker()];

    const before = await sitDown(browser, lab, folder);
    const { page } = before.screens;
    await page.getByRole('heading', { name: 'How should messages be kept?' }).waitFor();
    await page.getByLabel('New passphrase', { exact: true }).fill(passphrase);
    await page.getByLabel('New passphrase, again').fill(passphrase);
    await page.getByRole('button', { name: 'Keep messages encrypted' }).click();
    await before.screens.waitForRegistration('Registered');
    await before.screens.startConversation('bob');
    await before.screens.send(first);
    expect(await levelOfSent(before.screens, first)).toBe('End-to-end');
    await before.leave();

    const after = await sitDown(browser, lab, folder);
    const { screens } = after;
    await screens.page.getByLabel('Passphrase').fill('not the passphrase');
    await screens.page.getByRole('button', { name: 'Unlock' }).click();
    await screens.page.getByText('This is not the passphrase. Nothing was changed.').waitFor();
    await screens.page.getByLabel('Passphrase').fill(passphrase);
    await screens.page.getByRole('button', { name: 'Unlock' }).click();
    await screens.waitForRegistration('Registered');

    await screens.page.keyboard.press('Control+k');
    await screens.page.keyboard.type('harb');
    await screens.page.getByRole('option', { name: /bob/ }).waitFor();
    await screens.page.keyboard.press('ArrowDown');
    await screens.page.keyboard.press('Enter');
    expect(await levelOfSent(screens, first)).toBe('End-to-end');

    await screens.page.getByRole('button', { name: /details$/ }).click();
    await screens.page.getByRole('button', { name: 'Unregister' }).click();
    const details = screens.page.getByRole('dialog');
    await details.getByRole('button', { name: 'Register', exact: true }).press('Escape');
    await details.waitFor({ state: 'detached' });
    await screens.waitForRegistration('Not registered');
    await screens.send(second);
    await screens.message(second).getByRole('group', { name: 'Waits for the registration' }).waitFor();
    expect(bob.account.history.conversations()[0]?.lastMessage?.text).toBe(first);
    await screens.page.getByRole('button', { name: 'Register', exact: true }).click();
    expect(await levelOfSent(screens, second)).toBe('End-to-end');
    await after.leave();
    await bob.stop();
  });
});

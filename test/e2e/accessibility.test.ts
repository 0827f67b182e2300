import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { evidenceFor } from '../support/evidence.ts';
import { refusal } from '../../src/engine/refusal.ts';
import type { ScriptedHost } from '../support/scripted-host.ts';
import { chromiumPath, launchBrowser } from './support/browser.ts';
import { openScripted } from './support/scripted-page.ts';

const bob = 'sip:bob@lab.test';

function everything(host: ScriptedHost): void {
  host.receive(bob, 'sealed', 'e2e');
  host.receive(bob, 'edge', 'e2ae', { way: 'msrp' });
  host.receive(bob, 'somebody', 'unverified', { way: 'msrp' });
  host.receive(bob, 'open', 'none');
  const problem = refusal('decryption-failed', 'received');
  host.receive(bob, '', 'none', { state: 'undecryptable', problem });
  host.receive('sip:carol@lab.test', 'unread', 'e2e');
  const offer = refusal('consent-required', 'message', { offered: 'e2ae' });
  const mine = { direction: 'out', from: host.account.identity, to: bob } as const;
  host.receive(bob, 'mine', 'e2e', { ...mine, state: 'delivered' });
  host.receive(bob, 'question', 'none', { ...mine, state: 'refused', problem: offer });
  const waits = refusal('kms-unreachable', 'waiting', { offered: 'e2ae', nextAttempt: Date.now() + 20_000 });
  const proven = { level: 'e2e', evidence: evidenceFor('e2e', 'msrp', Date.now(), bob) } as const;
  host.putFile(bob, { name: 'plan.pdf', level: 'e2ae' });
  host.putFile(bob, { name: 'half.zip', type: 'application/zip', state: 'transferring', transferred: 2e6, ...proven });
  const weaker = refusal('consent-required', 'file', { offered: 'e2ae' });
  host.putFile(bob, { name: 'asked.png', direction: 'out', type: 'image/png', state: 'paused', problem: weaker });
  host.putFile(bob, { name: 'lost.bin', state: 'interrupted', problem: refusal('connection-lost', 'file'), ...proven });
  host.putFile(bob, { name: 'done.txt', state: 'done', hashChecked: true, storedAt: '/r/done.txt', ...proven });
  host.receive(bob, 'waits', 'none', { ...mine, state: 'queued', problem: waits });
  host.receive(bob, 'refused', 'none', { ...mine, state: 'refused', problem: refusal('no-kms') });
  host.setKmsState({
    state: 'unreachable',
    since: Date.now(),
    nextAttempt: Date.now() + 20_000,
    explanation: 'The key management server could not be reached. Messages that must be end-to-end wait.',
    clockOffsetSeconds: 600,
  });
  host.setRegistration({ state: 'failed', code: 'timeout', explanation: 'The server did not answer.' });
}

describe.skipIf(chromiumPath === undefined).each(['light', 'dark'] as const)('accessibility, %s', (colorScheme) => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser.close());

  it.each([1180, 390])('has no violations on any screen, %i wide', async (width) => {
    const { screens, close } = await openScripted(browser, { colorScheme, width, prepare: everything });
    const { page } = screens;
    const check = async (what: string) => expect([what, await screens.accessibilityViolations()]).toEqual([what, []]);
    await check('list');
    await page.getByRole('button', { name: /Account .*, details$/ }).click();
    await check('account');
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'New conversation' }).click();
    await page.getByRole('button', { name: 'Start' }).click();
    await check('new conversation, wrong address');
    await page.keyboard.press('Escape');
    await screens.openConversation('bob');
    await check('conversation');
    await page.getByRole('button', { name: /Protection demanded/ }).click();
    await check('policies');
    await page.keyboard.press('Escape');
    for (const mark of ['End-to-end', 'To network edge', 'Encrypted, end point not verified', 'Not encrypted']) {
      await page
        .getByRole('button', { name: `${mark}. Why?` })
        .first()
        .click();
      await page.getByRole('button', { name: 'Technical detail' }).click();
      await check(mark);
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
    }
    await close();
    expect(screens.errors).toEqual([]);
  });
});

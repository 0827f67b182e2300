import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { evidenceFor } from '../support/evidence.ts';
import { refusal } from '../../src/engine/refusal.ts';
import type { ScriptedHost } from '../support/scripted-host.ts';
import { lackOfChromium, launchBrowser } from './support/browser.ts';
import { openScripted } from './support/scripted-page.ts';
import { needing } from '../support/needs/needs.ts';

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
  const seen = { way: 'in', firstAt: Date.now(), lastAt: Date.now(), count: 2 } as const;
  const none = { protections: [], fingerprints: [] };
  const kms = [{ ...seen, value: 'sip:kms.lab.test' }];
  host.contacts = [{ id: 'c1', name: 'Bob Builder', addresses: ['sip:bob.builder@lab.test'], policy: 'require-e2e' }];
  host.trust = [
    {
      ...{ accountId: 'alice', peer: 'sip:bob.builder@lab.test', firstAt: 1, lastAt: 2, count: 2 },
      ...{ ...none, kms, levels: [{ ...seen, value: 'e2e' }] },
    },
  ];
  const print = Array.from({ length: 32 }, () => 'AB').join(':');
  const tls = { version: 'TLSv1.3', suite: 'TLS_AES_256_GCM_SHA384', proof: 'pin', certificate: print } as const;
  host.account = {
    ...host.account,
    presence: { watches: false },
    flows: [
      {
        ...{ number: 1, registration: { state: 'registered', expires: 60 }, server: 'edge.lab.test' },
        connection: { transport: 'tls', tls, agreed: [] },
      },
    ],
    ownDevices: [{ name: 'Tablet' }],
  };
  host.tell(bob, { kind: 'policy-changed', at: Date.now(), policy: 'any' });
  host.tell(bob, { kind: 'trust-changed', at: Date.now(), explanation: 'Another key management server vouches.' });
  host.receive(bob, 'from an export', 'none', { imported: { at: 1, level: 'e2e' } });
  host.setKmsState({
    state: 'unreachable',
    since: Date.now(),
    nextAttempt: Date.now() + 20_000,
    explanation: 'The key management server could not be reached. Messages that must be end-to-end wait.',
    clockOffsetSeconds: 600,
  });
  const changedCertificate = { serverName: 'lab.test', pinned: print, shown: print.replaceAll('AB', 'CD') };
  host.setRegistration({ state: 'failed', code: 'tls-failed', explanation: 'Not proven.', changedCertificate });
}

describe.each(['light', 'dark'] as const)('accessibility, %s', needing(lackOfChromium), (colorScheme) => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser.close());

  it.each([1180, 390])('has no violations on any screen, %i wide', async (width) => {
    const { screens, host, close } = await openScripted(browser, { colorScheme, width, prepare: everything });
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
    await page.getByRole('button', { name: 'Details of bob' }).click();
    await page.getByRole('button', { name: 'Remove this conversation' }).click();
    await check('details of a conversation');
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    if (width < 720) await page.getByRole('button', { name: 'Back to conversations' }).click();
    await page.keyboard.press('Control+f');
    await page.keyboard.type('e');
    await page.getByRole('option').first().waitFor();
    await page.keyboard.press('ArrowDown');
    await check('search');
    await page.keyboard.press('Escape');
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Contacts' }).click();
    await check('contacts');
    await page.getByRole('row', { name: /^Bob Builder/ }).click();
    await page.getByText('What vouched for Bob Builder').waitFor();
    await check('a contact');
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    for (const sheet of ['Connection', 'Messages and storage']) {
      await page.getByRole('button', { name: /Account .*, details$/ }).click();
      await page.getByRole('button', { name: sheet }).click();
      await page.getByRole('button', { name: 'Close' }).waitFor();
      await check(sheet);
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
    }
    for (const state of ['locked', 'undecided', 'unusable'] as const) {
      host.setStorage({ state, reason: 'The keychain of this system cannot be used' });
      await page.locator('#storage-title').waitFor();
      await check(state);
    }
    await close();
    expect(screens.errors).toEqual([]);
  });
});

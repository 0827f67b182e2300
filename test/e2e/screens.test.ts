import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { refusal } from '../../src/engine/refusal.ts';
import { lackOfChromium, launchBrowser } from './support/browser.ts';
import type { Screens } from './support/screens.ts';
import { openScripted, type ScriptedPage } from './support/scripted-page.ts';
import { needing } from '../support/needs/needs.ts';

const bob = 'sip:bob@lab.test';

describe('screens', needing(lackOfChromium), () => {
  let browser: Browser;
  let open: ScriptedPage | undefined;

  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser.close());
  afterEach(async () => {
    const errors = open?.screens.errors ?? [];
    await open?.close();
    open = undefined;
    expect(errors).toEqual([]);
  });

  const start = async (...options: Parameters<typeof openScripted> extends [Browser, ...infer Rest] ? Rest : never) => {
    open = await openScripted(browser, ...options);
    return open;
  };

  it('starts a conversation, sends and receives, and shows the level of each message in words', async () => {
    const { screens, host } = await start({ script: { answer: () => 'Hi Alice, loud and clear' } });
    await screens.waitForRegistration('Registered');
    await screens.startConversation('bob');
    await screens.send('Hello Bob');
    expect(await screens.waitForMessage('Hello Bob', 'Delivered')).toMatchObject({ level: 'End-to-end' });
    expect(await screens.waitForMessage('Hi Alice')).toMatchObject({ level: 'End-to-end' });
    host.receive(bob, 'edge', 'e2ae');
    host.receive(bob, 'somebody', 'unverified', { way: 'msrp' });
    host.receive(bob, 'open', 'none');
    expect(await screens.waitForMessage('edge')).toMatchObject({ level: 'To network edge' });
    expect(await screens.waitForMessage('somebody')).toMatchObject({ level: 'Encrypted, end point not verified' });
    expect(await screens.waitForMessage('open')).toMatchObject({ level: 'Not encrypted' });
    expect(host.sent).toMatchObject([{ to: bob, text: 'Hello Bob', way: 'message' }]);
  });

  it('works by keyboard alone, from the address to the proof', async () => {
    const { screens, host } = await start({ script: { answer: () => 'Fine' } });
    const { page } = screens;
    const focus = (name: string | RegExp) => tabTo(page, name);
    await focus('New conversation');
    await page.keyboard.press('Enter');
    await page.keyboard.type('bob');
    await page.keyboard.press('Enter');
    await screens.composer().waitFor();
    await page.keyboard.type('Line one');
    await page.keyboard.press('Shift+Enter');
    await page.keyboard.type('line two');
    await page.keyboard.press('Enter');
    await screens.waitForMessage('Fine');
    expect(host.sent[0]?.text).toBe('Line one\nline two');

    await page.keyboard.press('Shift+Tab');
    expect(await focusedName(page)).toBe('End-to-end. Why?');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'Why is this end-to-end?' }).waitFor();
    await expect.poll(() => page.evaluate('document.activeElement.closest("[role=dialog]") !== null')).toBe(true);
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    // Focus comes back in the frame after the sheet has gone.
    await expect.poll(() => focusedName(page)).toBe('End-to-end. Why?');
    await page.keyboard.press('Tab');
    expect(await focusedName(page)).toBe('Message to bob');
  });

  it('tells every fact of the evidence', async () => {
    const { screens, host } = await start();
    host.receive(bob, 'sealed', 'e2e');
    host.receive(bob, 'edge session', 'e2ae', { way: 'msrp' });
    host.receive(bob, 'in session', 'e2e', { way: 'msrp' });
    await screens.openConversation('bob');
    const sealed = await screens.readProof('sealed');
    for (const fact of [
      'Only you and bob can read it, and whoever runs the key server kms.lab.test.',
      'Proven: bob@lab.test',
      'Issued',
      'valid until',
      'Who talks to whom, and when',
      'AES-256-GCM',
      '5b1c09ee01a7c4f2',
    ]) {
      expect(sealed.toLowerCase()).toContain(fact.toLowerCase());
    }
    const edge = await screens.readProof('edge session');
    expect(edge).toContain('That it protects this session to its edge');
    expect(edge).toMatch(/AB D0 F5 1A\s+3F 64 89 AE/);
    const session = await screens.readProof('in session');
    expect(session).toContain('TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256');
    expect(session).toContain('5b1c09ee.01');
  });

  it('asks before anything weaker is used, in the place of the message', async () => {
    const consent = refusal('consent-required', 'message', { offered: 'e2ae', required: 'prefer-e2e' });
    const { screens, host } = await start({ script: { send: () => consent } });
    await screens.startConversation('bob');
    await screens.send('Send me anyway');
    const question = screens.page.getByRole('group', { name: /your decision is needed/ });
    await question.waitFor();
    expect(await question.innerText()).toContain('The message was not sent.');
    await question.getByRole('button', { name: 'Send to network edge instead' }).click();
    expect(await screens.waitForMessage('Send me anyway', 'Delivered')).toMatchObject({ level: 'To network edge' });
    expect(await screens.message('Send me anyway').count()).toBe(1);
    expect(host.sent.at(-1)).toMatchObject({ consent: true });

    await screens.send('Rather not');
    await question.getByRole('button', { name: 'Do not send' }).click();
    await screens.message('Rather not').waitFor({ state: 'detached' });
    expect(await focusedName(screens.page)).toBe('Message to bob');
  });

  it('explains a refusal and lets the text be edited and sent again', async () => {
    const { screens, host } = await start({ script: { send: () => refusal('kms-unreachable') } });
    await screens.startConversation('bob');
    await screens.send('First try');
    const notice = screens.page.getByRole('group', { name: 'Not sent' });
    await notice.waitFor();
    expect(await notice.innerText()).toContain('The key management server gave no usable answer');
    host.script = { ...host.script, send: () => 'e2e' };
    await notice.getByRole('button', { name: 'Edit' }).click();
    expect(await screens.composer().inputValue()).toBe('First try');
    await screens.send('Second try');
    expect(await screens.waitForMessage('Second try', 'Delivered')).toMatchObject({ level: 'End-to-end' });
  });

  it('demands protection for a contact, and opens and ends a session', async () => {
    const { screens, host } = await start();
    await screens.startConversation('bob');
    await screens.choosePolicy('Only end-to-end');
    await screens.page.getByRole('button', { name: /Only end-to-end.*Protection demanded/ }).waitFor();
    expect(host.book.views()[0]?.policy).toBe('require-e2e');
    await screens.page.getByRole('button', { name: 'Open session' }).click();
    await screens.page.getByRole('button', { name: 'Session open: End-to-end. Why?' }).click();
    await screens.page.getByText('Open session with bob').waitFor();
    await screens.page.keyboard.press('Escape');
    await screens.chooseWay('Session');
    await screens.send('Over the session');
    expect((await screens.waitForMessage('Over the session', 'Delivered')).caption).toContain('in session');
    await screens.page.getByRole('button', { name: 'End session' }).click();
    await screens.page.getByRole('button', { name: 'Open session' }).waitFor();
  });

  it('announces what comes in with its protection, and counts what is unread', async () => {
    const { screens, host } = await start({ prepare: (scripted) => void scripted.receive(bob, 'old', 'e2e') });
    host.receive(bob, 'the meeting is at nine', 'e2ae');
    await expect.poll(() => screens.announced()).toBe('Message from bob, To network edge: the meeting is at nine');
    host.tell(bob, { kind: 'trust-changed', at: Date.now(), explanation: 'Another key server vouches.' });
    await expect
      .poll(() => screens.announced())
      .toContain('Who vouches for bob has changed. Another key server vouches.');
    await screens.conversation('bob, 2 unread').waitFor();
    await expect.poll(() => screens.page.title()).toBe('(2) Alice · Tessera');
    await screens.openConversation('bob');
    await expect.poll(() => screens.page.title()).toBe('Alice · Tessera');
  });

  it('shows a message that could not be read, without a level that nobody proved', async () => {
    const { screens, host } = await start();
    const problem = refusal('decryption-failed', 'received');
    host.receive(bob, '', 'none', { state: 'undecryptable', problem });
    await screens.openConversation('bob');
    expect(await screens.waitForMessage('could not be decrypted')).toMatchObject({ level: '' });
    await screens.page.getByText('Ask the sender to send it again.').waitFor();
  });

  it('keeps working after a reload, and opens for no second browser', async () => {
    const { screens, console } = await start({ prepare: (host) => void host.receive(bob, 'still here', 'e2e') });
    await screens.page.reload();
    await screens.ready();
    await screens.openConversation('bob');
    await screens.waitForMessage('still here');
    const other = await browser.newContext();
    expect((await (await other.newPage()).goto(console.url))?.status()).toBe(403);
    await other.close();
  });

  it('says when the connection is lost, keeps the text, and comes back by itself', async () => {
    const { screens, host } = await start();
    let cut = (): Promise<void> => Promise.resolve();
    let isDown = false;
    await screens.page.routeWebSocket(/bridge/, (socket) => {
      cut = () => socket.close({ code: 1012 });
      if (isDown) void cut();
      else socket.connectToServer();
    });
    await screens.page.reload();
    await screens.ready();
    await screens.startConversation('bob');
    isDown = true;
    await cut();
    const banner = screens.page.getByText('The connection to Tessera is lost.');
    await banner.waitFor();
    await screens.send('Written meanwhile');
    expect(await screens.composer().inputValue()).toBe('Written meanwhile');
    host.receive(bob, 'sent meanwhile', 'e2e');
    isDown = false;
    await banner.waitFor({ state: 'detached' });
    await screens.waitForMessage('sent meanwhile');
    await screens.composer().press('Enter');
    await screens.waitForMessage('Written meanwhile', 'Delivered');
  });

  it('fits a narrow window: one thing at a time', async () => {
    const { screens } = await start({ width: 390, prepare: (host) => void host.receive(bob, 'small', 'e2e') });
    await screens.openConversation('bob');
    expect(await screens.conversation('bob').isVisible()).toBe(false);
    await screens.page.getByRole('button', { name: 'Back to conversations' }).click();
    await screens.conversation('bob').waitFor();
    expect(await screens.page.evaluate('document.documentElement.scrollWidth <= 390')).toBe(true);
  });
});

/** Presses Tab until the focus is on what has this name, as somebody without a mouse would. */
async function tabTo(page: Screens['page'], name: string | RegExp): Promise<void> {
  for (let step = 0; step < 40; step++) {
    await page.keyboard.press('Tab');
    const found = await focusedName(page);
    if (typeof name === 'string' ? found === name : name.test(found)) return;
  }
  throw new Error(`the Tab key does not reach ${String(name)}`);
}

function focusedName(page: Screens['page']): Promise<string> {
  return page.evaluate<string>(
    'document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent ?? ""',
  );
}

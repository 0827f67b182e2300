// @vitest-environment jsdom
import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { ProtectionLevel } from '../../../src/contract/index.ts';
import { refusal } from '../../../src/engine/refusal.ts';
import { renderApp, startConversation } from '../support/render-app.tsx';

const bob = 'sip:bob@lab.test';

describe('conversation', () => {
  it('sends with Enter, breaks lines with Shift+Enter, and never sends nothing', async () => {
    const { host, user } = await renderApp();
    const composer = await startConversation(user, 'bob');
    await user.type(composer, '{Enter}   {Enter}');
    expect(host.sent).toEqual([]);
    await user.clear(composer);
    await user.type(composer, 'one{Shift>}{Enter}{/Shift}two{Enter}');
    await screen.findByText('Delivered');
    expect(host.sent).toMatchObject([{ to: bob, text: 'one\ntwo', way: 'message' }]);
    expect(composer).toHaveProperty('value', '');
  });

  it('claims no level for a message that is still under way', async () => {
    const { host, user } = await renderApp({ delay: 10_000 });
    await user.type(await startConversation(user, 'bob'), 'slow{Enter}');
    const item = (await screen.findByText('slow')).closest('li')!;
    expect(within(item).getByText('Sending…')).toBeTruthy();
    expect(within(item).queryByRole('button')).toBeNull();
    expect(host.sent).toHaveLength(1);
  });

  it.each<[ProtectionLevel, string]>([
    ['e2e', 'End-to-end'],
    ['e2ae', 'To network edge'],
    ['unverified', 'Encrypted, end point not verified'],
    ['none', 'Not encrypted'],
  ])('tells level %s in words and by a shape of its own', async (level, words) => {
    const { host, user } = await renderApp();
    host.receive(bob, 'hello', level);
    await user.click(await screen.findByRole('row', { name: /^bob/ }));
    const mark = await screen.findByRole('button', { name: `${words}. Why?` });
    expect(mark.textContent).toBe(words);
    expect(mark.querySelector('svg')).toBeTruthy();
  });

  it('puts a refusal in the place of the message and sends again on demand, once', async () => {
    const { host, user } = await renderApp({ send: () => refusal('timeout') });
    await user.type(await startConversation(user, 'bob'), 'hello{Enter}');
    const notice = await screen.findByRole('group', { name: 'Not sent' });
    expect(notice.textContent).toContain('No answer came in time. The message was not sent.');
    host.script = { ...host.script, send: () => 'e2e' };
    await user.click(within(notice).getByRole('button', { name: 'Try again' }));
    await screen.findByText('Delivered');
    expect(screen.queryByRole('group', { name: 'Not sent' })).toBeNull();
    expect(host.sent.map(({ text }) => text)).toEqual(['hello', 'hello']);
  });

  it('does not claim that a message was not sent when that is not known', async () => {
    const { user } = await renderApp({ send: () => refusal('connection-lost', 'uncertain') });
    await user.type(await startConversation(user, 'bob'), 'hello{Enter}');
    const notice = await screen.findByRole('group', { name: 'Perhaps not delivered' });
    expect(notice.textContent).toContain('It is not known whether the message arrived');
  });

  it('shows what waits for the key server, and takes it back', async () => {
    const { host, user } = await renderApp({ send: () => ({ waits: refusal('kms-unreachable', 'waiting') }) });
    await user.type(await startConversation(user, 'bob'), 'hello{Enter}');
    const notice = await screen.findByRole('group', { name: 'Waits for the key server' });
    expect(notice.textContent).toContain('is sent by itself as soon as that can be done');
    expect(within(notice).queryByRole('button', { name: /instead/ })).toBeNull();
    expect(document.querySelector('[data-announcer]')?.textContent).toContain('Waits for the key server');
    await user.click(within(notice).getByRole('button', { name: 'Take back' }));
    await waitFor(() => expect(screen.queryByText('hello')).toBeNull());
    expect(host.sent).toHaveLength(1);
  });

  it('offers for a waiting message what could be had now, as a choice of its own', async () => {
    const waits = refusal('kms-unreachable', 'waiting', { offered: 'e2ae' });
    const { host, user } = await renderApp({ send: () => ({ waits }) });
    await user.type(await startConversation(user, 'bob'), 'hello{Enter}');
    const notice = await screen.findByRole('group', { name: 'Waits for the key server' });
    await user.click(within(notice).getByRole('button', { name: 'Send to network edge instead' }));
    await screen.findByText('Delivered');
    expect(host.sent.at(-1)).toMatchObject({ consent: true, text: 'hello', replaces: expect.any(String) as string });
    expect(screen.queryByRole('group', { name: 'Waits for the key server' })).toBeNull();
  });

  it.each([
    ['e2ae', 'Send to network edge instead'],
    ['unverified', 'Send to an unverified end point instead'],
    ['none', 'Send without encryption instead'],
  ] as const)('names what consent would mean when only %s is possible', async (offered, words) => {
    const { host, user } = await renderApp({ send: () => refusal('consent-required', 'message', { offered }) });
    await user.type(await startConversation(user, 'bob'), 'hello{Enter}');
    await user.click(await screen.findByRole('button', { name: words }));
    await screen.findByText('Delivered');
    expect(host.sent.at(-1)).toMatchObject({ consent: true, text: 'hello' });
  });

  it('keeps what was written when the engine cannot be reached', async () => {
    const { transport, user } = await renderApp();
    const composer = await startConversation(user, 'bob');
    await user.type(composer, 'do not lose me');
    transport.setUp(false);
    await screen.findByText(/connection to Tessera is lost/);
    await user.type(composer, '{Enter}');
    expect(composer).toHaveProperty('value', 'do not lose me');
    transport.setUp(true);
    await waitFor(() => expect(screen.queryByText(/connection to Tessera is lost/)).toBeNull());
    await user.type(composer, '{Enter}');
    await screen.findByText('Delivered');
  });

  it('announces incoming messages with their protection, and what became of own ones', async () => {
    const { host, user } = await renderApp();
    await user.type(await startConversation(user, 'bob'), 'hello{Enter}');
    await screen.findByText('Sent to bob, End-to-end.');
    host.receive('sip:carol@lab.test', 'hi', 'unverified');
    await screen.findByText('Message from carol, Encrypted, end point not verified: hi');
    host.receive(bob, '', 'none', { state: 'undecryptable', problem: refusal('decryption-failed', 'received') });
    await screen.findByText('A message from bob could not be decrypted.');
  });

  it('shows why a session was not opened', async () => {
    const { user } = await renderApp({ send: () => refusal('psk-tls-unavailable', 'session') });
    await startConversation(user, 'bob');
    await user.click(screen.getByRole('button', { name: 'Open session' }));
    expect((await screen.findByRole('alert')).textContent).toContain('This build cannot do TLS with pre-shared keys');
    await user.click(screen.getByRole('button', { name: 'Dismiss' }));
    expect(screen.queryByRole('alert')).toBeNull();
  });
});

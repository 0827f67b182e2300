// @vitest-environment jsdom
import { fireEvent, screen, waitFor, within } from '@testing-library/react';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { FileView } from '../../../src/contract/index.ts';
import { refusal } from '../../../src/engine/refusal.ts';
import { evidenceFor } from '../../support/evidence.ts';
import type { ScriptedHost } from '../../support/scripted-host.ts';
import { renderApp, startConversation } from '../support/render-app.tsx';

const bob = 'sip:bob@lab.test';
const proven = { level: 'e2e', evidence: evidenceFor('e2e', 'msrp', 1, bob) } as const;

async function withFile(change: Partial<FileView>, prepare: (host: ScriptedHost) => void = () => undefined) {
  const app = await renderApp({}, (host) => {
    prepare(host);
    host.putFile(bob, { id: 'f1', ...change });
  });
  await app.user.click(await screen.findByRole('row', { name: /^bob/ }));
  const card = await screen.findByRole('group', { name: /plan/ });
  const press = async (name: string) => app.user.click(within(card).getByRole('button', { name }));
  const buttons = () =>
    within(card)
      .queryAllByRole('button')
      .map(({ textContent }) => textContent);
  return { ...app, card, press, buttons };
}

describe('a file in the conversation', () => {
  it('that comes in is asked about, with name, size and the best protection it can have', async () => {
    const { host, card, press, buttons } = await withFile({ level: 'e2ae' });
    expect(card.textContent).toContain('plan.pdf');
    expect(card.textContent).toMatch(/5 MB/);
    expect(card.textContent).toContain('bob wants to send you this file.');
    expect(card.closest('li')!.textContent).toMatch(/At best.*To network edge/);
    // Nothing was proved yet: there is no proof to open.
    expect(screen.queryByRole('button', { name: /Why\?/ })).toBeNull();
    expect(buttons()).toEqual(['Accept', 'Decline']);
    await press('Accept');
    await waitFor(() => expect(host.fileCalls).toEqual(['accept f1']));
    expect(await within(card).findByText('Connecting to bob…')).toBeTruthy();
  });

  it.each<[FileView['direction'], FileView['state'], string[]]>([
    ['in', 'offered', ['Accept', 'Decline']],
    ['in', 'waiting', ['Cancel']],
    ['in', 'transferring', ['Pause', 'Cancel']],
    ['out', 'preparing', ['Cancel']],
    ['out', 'offered', ['Cancel']],
    ['out', 'transferring', ['Pause', 'Cancel']],
    ['out', 'paused', ['Resume', 'Cancel']],
    ['in', 'interrupted', ['Resume', 'Cancel']],
    ['out', 'done', []],
    ['in', 'cancelled', []],
    ['in', 'declined', []],
    ['out', 'failed', []],
  ])('%s, %s, offers what can be done: %j', async (direction, state, expected) => {
    expect((await withFile({ direction, state })).buttons()).toEqual(expected);
  });

  it('tells its progress to screen readers, in steps aloud', async () => {
    const { host, card } = await withFile({ state: 'transferring', transferred: 1_000_000, ...proven });
    const bar = within(card).getByRole('progressbar', { name: /plan\.pdf/ });
    expect(bar.getAttribute('aria-valuenow')).toBe('20');
    expect(bar.getAttribute('aria-valuetext')).toMatch(/1 MB of 5 MB/);
    host.putFile(bob, { id: 'f1', transferred: 1_300_000 });
    await screen.findByText('plan.pdf: 25 percent.');
    host.putFile(bob, { id: 'f1', transferred: 1_400_000 });
    host.putFile(bob, { id: 'f1', transferred: 2_600_000 });
    await screen.findByText('plan.pdf: 50 percent.');
    // What was said is taken away after some seconds.
    expect(screen.queryAllByText('plan.pdf: 25 percent.').length).toBeLessThan(2);
  });

  it('shows its proof as messages do, with what was checked of its content', async () => {
    const { user } = await withFile({
      state: 'done',
      transferred: 5_000_000,
      hashChecked: true,
      storedAt: '/r/p',
      ...proven,
    });
    await user.click(screen.getByRole('button', { name: 'End-to-end. Why?' }));
    const sheet = await screen.findByRole('dialog');
    expect(sheet.textContent).toContain('File of ');
    await user.click(within(sheet).getByRole('button', { name: 'Technical detail' }));
    expect(sheet.textContent).toContain('SHA-256 or stronger');
  });

  it('says when nothing vouches for its content', async () => {
    const { card } = await withFile({ state: 'done', hashChecked: false, ...proven });
    expect(card.textContent).toContain('named nothing by which to check');
  });

  it('is shown in its folder by the shell, and by its path where that cannot', async () => {
    const done = { state: 'done', hashChecked: true, storedAt: '/received/plan.pdf', ...proven } as const;
    const desktop = await withFile(done);
    expect(desktop.card.textContent).not.toContain('/received');
    await desktop.press('Show in folder');
    expect(desktop.host.fileCalls).toEqual(['show f1']);
    const browser = await withFile(done, (host) => (host.abilities = { choose: 'upload', show: false }));
    expect(browser.buttons()).toEqual([]);
    expect(browser.card.textContent).toContain('/received/plan.pdf');
  });

  it('explains what went wrong, and asks before anything weaker is used', async () => {
    const problem = refusal('consent-required', 'file', { offered: 'e2ae' });
    const { host, card, press } = await withFile({ direction: 'out', state: 'paused', problem });
    expect(card.textContent).toContain('End-to-end protection could not be had');
    await press('Send to network edge instead');
    expect(host.fileCalls).toEqual(['resume with consent f1']);
  });

  it('cannot hide its ending by characters that change the direction', async () => {
    const { card } = await withFile({ name: 'plan\u202efdp.exe' });
    const name = card.querySelector('bdi')!;
    expect(name.textContent).toBe('plan\ufffdfdp.exe');
  });

  it('shows a preview in a picture element alone', async () => {
    const made = vi.fn((blob: Blob) => `blob:${blob.type}`);
    vi.stubGlobal('URL', Object.assign(URL, { createObjectURL: made, revokeObjectURL: vi.fn() }));
    const { card } = await withFile({ icon: { contentType: 'image/png', base64: btoa('<svg onload=alert(1)>') } });
    await waitFor(() => expect(card.querySelector('img')?.getAttribute('src')).toBe('blob:image/png'));
    expect(card.innerHTML).not.toContain('onload');
    fireEvent.error(card.querySelector('img')!);
    await waitFor(() => expect(card.querySelector('img')).toBeNull());
  });
});

describe('sending a file', () => {
  beforeEach(() => vi.unstubAllGlobals());

  it('goes through the dialog of the shell', async () => {
    const { host, user } = await renderApp();
    await startConversation(user, 'bob');
    await user.click(screen.getByRole('button', { name: 'Send a file' }));
    await screen.findByRole('group', { name: /plan\.pdf/ });
    expect(host.fileCalls).toEqual(['send token']);
    expect(await screen.findByText('Waiting for bob to accept…')).toBeTruthy();
  });

  it('does nothing when the user chose none, and offers no way where there is none', async () => {
    const chosen = await renderApp({}, (host) => (host.chosen = null));
    await startConversation(chosen.user, 'bob');
    await chosen.user.click(screen.getByRole('button', { name: 'Send a file' }));
    await waitFor(() => expect(chosen.transport.calls).toContain('chooseFile'));
    expect(chosen.host.fileCalls).toEqual([]);
    const without = await renderApp({}, (host) => (host.abilities = { choose: 'none', show: false }));
    await startConversation(without.user, 'bob');
    expect(screen.queryByRole('button', { name: 'Send a file' })).toBeNull();
  });

  it('uploads to the console what was chosen in a browser, by a token and not a path', async () => {
    const picked = { token: 'uploaded', name: 'a b.txt', size: 2, type: 'text/plain' };
    const upload = vi.fn((..._: unknown[]) => Promise.resolve(new Response(JSON.stringify(picked))));
    vi.stubGlobal('fetch', upload);
    const { host, user } = await renderApp({}, (scripted) => (scripted.abilities = { choose: 'upload', show: false }));
    await startConversation(user, 'bob');
    const input = document.querySelector<HTMLInputElement>('input[type=file]')!;
    await user.upload(input, new File(['hi'], 'a b.txt', { type: 'text/plain' }));
    await waitFor(() => expect(host.fileCalls).toEqual(['send uploaded']));
    expect(upload.mock.calls[0]).toMatchObject(['/files', { method: 'POST', headers: { 'X-File-Name': 'a%20b.txt' } }]);
  });

  it('says when a file cannot be had', async () => {
    vi.stubGlobal('fetch', () => Promise.resolve(new Response('{}', { status: 413 })));
    const { host, user } = await renderApp({}, (scripted) => (scripted.abilities = { choose: 'upload', show: false }));
    await startConversation(user, 'bob');
    await user.upload(document.querySelector<HTMLInputElement>('input[type=file]')!, new File(['hi'], 'a.txt'));
    expect((await screen.findByRole('alert')).textContent).toBe('The file could not be read.');
    expect(host.fileCalls).toEqual([]);
  });
});

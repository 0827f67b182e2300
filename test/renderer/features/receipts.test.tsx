// @vitest-environment jsdom
import { screen, waitFor, within } from '@testing-library/react';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { evidenceFor } from '../../support/evidence.ts';
import { renderApp, startConversation } from '../support/render-app.tsx';

const bob = 'sip:bob@lab.test';
const key = { accountId: 'alice', peer: bob };

afterEach(() => vi.restoreAllMocks());

describe('receipts and typing on the screens', () => {
  it('say in words and by a mark what became of a message', async () => {
    const { host, user } = await renderApp();
    const mine = { direction: 'out', from: 'sip:alice@lab.test', to: bob, way: 'msrp' } as const;
    host.receive(bob, 'first', 'e2e', { ...mine, state: 'delivered' });
    host.receive(bob, 'second', 'e2e', { ...mine, state: 'displayed' });
    await user.click(await screen.findByRole('row', { name: /^bob/ }));
    const marks = ['Delivered', 'Displayed'].map(async (words) => {
      const mark = (await screen.findByText(words)).querySelector('svg');
      expect(mark?.getAttribute('aria-hidden')).toBe('true');
      return mark?.innerHTML;
    });
    expect(new Set(await Promise.all(marks)).size).toBe(2);
  });

  it('tell what was seen only while the window is visible and in use, once for each message', async () => {
    const focus = vi.spyOn(document, 'hasFocus').mockReturnValue(false);
    const visible = vi.spyOn(document, 'visibilityState', 'get').mockReturnValue('hidden');
    const { host, user } = await renderApp();
    const first = host.receive(bob, 'first', 'e2e', { way: 'msrp' });
    await user.click(await screen.findByRole('row', { name: /^bob/ }));
    await within(await screen.findByRole('region', { name: /Messages/ })).findByText('first');
    focus.mockReturnValue(true);
    window.dispatchEvent(new Event('focus'));
    // The conversation is open and the window has the keyboard, but it cannot be seen.
    expect(host.displayed).toEqual([]);
    visible.mockReturnValue('visible');
    document.dispatchEvent(new Event('visibilitychange'));
    await waitFor(() => expect(host.displayed).toEqual([{ ...key, messageId: first.id }]));
    window.dispatchEvent(new Event('focus'));
    const second = host.receive(bob, 'second', 'e2e', { way: 'msrp' });
    await waitFor(() => expect(host.displayed.map(({ messageId }) => messageId)).toEqual([first.id, second.id]));
  });

  it('show that the peer is writing in a place that does not move, said once', async () => {
    const { host, user } = await renderApp();
    await startConversation(user, 'bob');
    const isPolite = (one: HTMLElement): boolean => one.getAttribute('aria-live') === 'polite';
    const place = screen.getAllByRole('status').find(isPolite)!;
    expect(place.textContent).toBe('');
    host.book.setPeerWriting(key, true);
    await waitFor(() => expect(place.textContent).toBe('bob is writing…'));
    host.book.setPeerWriting(key, false);
    await waitFor(() => expect(place.textContent).toBe(''));
  });

  it('tell of typing only while a session stands, and not with every key', async () => {
    const { host, user } = await renderApp();
    const composer = await startConversation(user, 'bob');
    await user.type(composer, 'no session');
    expect(host.composed).toEqual([]);
    await user.clear(composer);
    const evidence = evidenceFor('e2e', 'msrp', 1, bob);
    host.book.setSession(key, { id: 's1', state: 'open', level: 'e2e', evidence });
    await screen.findByRole('button', { name: /session/i });
    await user.type(composer, 'hello there');
    await user.clear(composer);
    await waitFor(() => expect(host.composed.map(({ isWriting }) => isWriting)).toEqual([true, false]));
  });
});

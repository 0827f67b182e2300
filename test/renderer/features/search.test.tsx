// @vitest-environment jsdom
import { screen, waitFor, within } from '@testing-library/react';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { excerptOf } from '../../../renderer/features/search/excerpt.ts';
import { renderApp } from '../support/render-app.tsx';

const bob = 'sip:bob@lab.test';
const carol = 'sip:carol@lab.test';

beforeEach(() => {
  // The document of the tests cannot scroll.
  Element.prototype.scrollIntoView = vi.fn();
  Element.prototype.scrollTo = vi.fn();
});

describe('search', () => {
  it('finds words in all conversations and opens the one chosen by keyboard at its message', async () => {
    const { user } = await renderApp({}, (made) => {
      made.receive(bob, 'the plan of the harbour', 'e2e');
      for (let index = 1; index <= 150; index++) made.receive(bob, `later ${index}`, 'e2e');
      made.receive(carol, 'we plan to meet', 'none');
    });
    await user.keyboard('{Control>}f{/Control}');
    const dialog = within(await screen.findByRole('dialog', { name: 'Search messages' }));
    expect(dialog.getByRole('status').textContent).toContain('Accents and case do not matter');
    await user.keyboard('PLAN');
    const results = await dialog.findAllByRole('option');
    expect(results.map((result) => result.querySelector('mark')?.textContent)).toEqual(['plan', 'plan']);
    expect(results[0]!.textContent).toContain('carol');
    expect(results[0]!.textContent).toContain('Not encrypted');
    expect(dialog.getByRole('status').textContent).toBe('2 messages, newest first');
    await user.keyboard('{ArrowDown}{ArrowDown}{Enter}');
    const region = within(await screen.findByRole('region', { name: 'Messages with bob' }));
    const found = (await region.findByText('the plan of the harbour')).closest('li');
    await waitFor(() => expect(document.activeElement).toBe(found));
    expect(region.queryByText('later 150')).toBeNull();
    await user.click(screen.getByRole('button', { name: 'Newest messages' }));
    await region.findByText('later 150');
    expect(region.queryByText('the plan of the harbour')).toBeNull();
  });

  it('says when there is nothing, and closes by Escape', async () => {
    const { user } = await renderApp({}, (made) => made.receive(bob, 'hello', 'e2e'));
    await user.click(screen.getByRole('button', { name: /^Search messages/ }));
    await screen.findByRole('dialog', { name: 'Search messages' });
    await user.keyboard('nowhere');
    await screen.findByText('No message has all these words.');
    await user.keyboard('{Escape}{Escape}');
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
  });

  it('shows the piece of a long text in which the words are', () => {
    const text = `${'word '.repeat(100)}harbour ${'more '.repeat(100)}`;
    const start = text.indexOf('harbour');
    const message = { text } as Parameters<typeof excerptOf>[0]['message'];
    const pieces = excerptOf({ message, matches: [{ start, end: start + 7 }] });
    expect(pieces.filter(({ isFound }) => isFound)).toEqual([{ text: 'harbour', isFound: true }]);
    expect([pieces[0]?.text, pieces.at(-1)?.text]).toEqual(['…', '…']);
    expect(pieces.map((piece) => piece.text).join('').length).toBeLessThan(260);
  });
});

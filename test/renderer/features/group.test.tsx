// @vitest-environment jsdom
import { act, screen, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { renderApp } from '../support/render-app.tsx';

const bob = 'sip:bob@lab.test';
const carol = 'sip:carol@lab.test';

async function openGroup() {
  const { host, user } = await renderApp({}, (made) => {
    made.contacts = [{ id: 'c1', name: 'Carol Danvers', addresses: [carol] }];
    made.groups.set('group:1', [bob, carol, made.account.identity]);
    made.receive('group:1', 'I am in', 'e2e', { from: carol });
    made.receive('group:1', 'with two guests', 'e2e', { from: carol });
    made.receive('group:1', 'Me too', 'e2e', { from: bob });
  });
  await user.click(await screen.findByRole('row', { name: /^bob, Carol Danvers, 3 unread/ }));
  const region = await screen.findByRole('region', { name: 'Messages with bob, Carol Danvers' });
  return { host, user, region: within(region) };
}

describe('group', () => {
  it('names who wrote each message, once for several in a row, and itself by the others in it', async () => {
    const { user, region } = await openGroup();
    await region.findByText('Me too');
    expect(region.getAllByText('Carol Danvers')).toHaveLength(1);
    expect(region.getAllByText('bob')).toHaveLength(1);
    expect(region.getAllByText('Carol Danvers:')).toHaveLength(2);
    await user.click(region.getAllByRole('button', { name: 'End-to-end. Why?' })[0]!);
    const sheet = await screen.findByRole('dialog');
    expect(sheet.textContent).toContain('Only you and Carol Danvers can read it');
    expect(sheet.textContent).toContain('Proven: carol@lab.test');
  });

  it('offers only what there is for several, and says aloud who of them wrote', async () => {
    const { host } = await openGroup();
    await screen.findByRole('textbox', { name: 'Message to bob, Carol Danvers' });
    expect(screen.queryByRole('radio', { name: 'Session' })).toBeNull();
    expect(screen.queryByRole('button', { name: 'Send a file' })).toBeNull();
    act(() => void host.receive('group:1', 'see you', 'e2e', { from: carol }));
    expect(document.querySelector('[data-announcer]')?.textContent).toBe(
      'Message from Carol Danvers, End-to-end: see you',
    );
  });
});

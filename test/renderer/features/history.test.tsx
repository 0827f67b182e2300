// @vitest-environment jsdom
import { act, screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { refusal } from '../../../src/engine/refusal.ts';
import { renderApp } from '../support/render-app.tsx';

const bob = 'sip:bob@lab.test';
const mine = { direction: 'out', from: 'sip:alice@lab.test', to: bob } as const;

async function openBob(user: Awaited<ReturnType<typeof renderApp>>['user']) {
  await user.click(await screen.findByRole('row', { name: /^bob/ }));
  return screen.findByRole('region', { name: 'Messages with bob' });
}

describe('what was said', () => {
  it('says what a message waits for and when it is tried, and tries it now on demand', async () => {
    const nextAttempt = new Date(2026, 5, 10, 12, 30, 5).getTime();
    const { host, user } = await renderApp({}, (made) => {
      const problem = refusal('not-registered', 'waiting', { nextAttempt });
      made.receive(bob, 'later', 'none', { ...mine, state: 'queued', problem });
    });
    await openBob(user);
    const notice = await screen.findByRole('group', { name: 'Waits for the registration' });
    expect(notice.textContent).toContain('is sent by itself as soon as that can be done');
    expect(notice.textContent).toContain('Next attempt at 12:30:05');
    await user.click(within(notice).getByRole('button', { name: 'Try now' }));
    await screen.findByText('Delivered');
    expect(host.messageCalls).toEqual([expect.stringMatching(/^retry /)]);
  });

  it('offers to stop what was sent without an answer', async () => {
    const { user } = await renderApp({}, (made) => {
      made.receive(bob, 'perhaps', 'none', { ...mine, state: 'sent', problem: refusal('timeout', 'again') });
    });
    await openBob(user);
    const notice = await screen.findByRole('group', { name: 'Sent, no answer yet' });
    expect(notice.textContent).toContain('It is not known whether the message arrived');
    await user.click(within(notice).getByRole('button', { name: 'Stop trying' }));
    await waitFor(() => expect(screen.queryByText('perhaps')).toBeNull());
  });

  it('asks the sender of a message that could not be read, and says what came of it', async () => {
    const { host, user } = await renderApp({}, (made) => {
      const problem = refusal('decryption-failed', 'received');
      made.receive(bob, '', 'none', { state: 'undecryptable', problem, messageId: 'x' });
    });
    await openBob(user);
    await user.click(await screen.findByRole('button', { name: 'Ask to send again' }));
    await screen.findByText('Asked. It appears here when it comes.');
    expect(host.messageCalls).toEqual([expect.stringMatching(/^ask /)]);
  });

  it('offers no asking for what names no id', async () => {
    const { user } = await renderApp({}, (made) => {
      const problem = refusal('decryption-failed', 'received');
      made.receive(bob, '', 'none', { state: 'undecryptable', problem });
    });
    await openBob(user);
    await screen.findByText(/names nothing by which it could be asked for/);
    expect(screen.queryByRole('button', { name: 'Ask to send again' })).toBeNull();
  });

  it('claims no level of what was imported, and tells what the export claims', async () => {
    const { user } = await renderApp({}, (made) => {
      made.receive(bob, 'old times', 'none', { imported: { at: 5, level: 'e2e' } });
    });
    const region = await openBob(user);
    expect(within(region).getByText(/^Imported/).textContent).toContain('The export says: End-to-end');
    expect(within(region).queryByRole('button', { name: /Why/ })).toBeNull();
  });

  it('marks what another device of the user sent', async () => {
    const { user } = await renderApp({}, (made) => {
      made.receive(bob, 'from the phone', 'e2e', { ...mine, state: 'accepted', fromOtherDevice: true });
    });
    const region = await openBob(user);
    expect(within(region).getByText('from another device of yours')).toBeTruthy();
  });

  it('tells each recipient of a message to several', async () => {
    const { user } = await renderApp({}, (made) => {
      const recipients = [
        { address: bob, state: 'displayed' as const },
        { address: 'sip:carol@lab.test', state: 'failed' as const, problem: refusal('peer-unreachable') },
      ];
      made.receive(bob, 'to all', 'e2e', { ...mine, state: 'accepted', recipients });
    });
    await openBob(user);
    const list = await screen.findByRole('list', { name: 'Each recipient' });
    expect(
      within(list)
        .getAllByRole('listitem')
        .map((item) => item.textContent),
    ).toEqual(['bob Displayed', 'carol Not delivered']);
  });

  it('says in the conversation that somebody else vouches, until the user has understood', async () => {
    const { host, user } = await renderApp({}, (made) => made.receive(bob, 'hello', 'e2e'));
    const region = within(await openBob(user));
    act(() => {
      host.tell(bob, { kind: 'policy-changed', at: Date.now(), policy: 'require-e2e' });
      host.tell(bob, { kind: 'trust-changed', at: Date.now(), explanation: 'Another key management server vouches.' });
    });
    const announced = document.querySelector('[data-announcer]')?.textContent ?? '';
    expect(announced).toContain('Protection demanded of bob from here on: Only end-to-end');
    expect(announced).toContain('Who vouches for bob has changed. Another key management server vouches.');
    await region.findByText('Protection demanded of bob from here on: Only end-to-end');
    await region.findByText('Another key management server vouches.');
    await user.click(screen.getByRole('button', { name: 'Understood' }));
    await waitFor(() => expect(screen.queryByText('Another key management server vouches.')).toBeNull());
  });

  it('does not say aloud what was told before', async () => {
    const { host, user } = await renderApp({}, (made) => {
      made.receive(bob, 'hello', 'e2e');
      made.tell(bob, { kind: 'trust-changed', at: Date.now(), explanation: 'Told long ago.' });
    });
    await openBob(user);
    await screen.findByText('Told long ago.');
    act(() => host.tell(bob, { kind: 'trust-changed', at: Date.now(), explanation: 'Told now.' }));
    await screen.findByText('Told now.');
    await waitFor(() =>
      expect(document.querySelector('[data-announcer]')?.textContent).toBe(
        'Who vouches for bob has changed. Told now.',
      ),
    );
  });

  it('pages backwards on demand and keeps what is there', async () => {
    const { user } = await renderApp({}, (made) => {
      for (let index = 1; index <= 130; index++) made.receive(bob, `number ${index}`, 'e2e');
    });
    const region = within(await openBob(user));
    await region.findByText('number 130');
    expect(region.queryByText('number 70')).toBeNull();
    await user.click(region.getByRole('button', { name: 'Show earlier messages' }));
    await region.findByText('number 11');
    expect(region.getByText('number 130')).toBeTruthy();
  });
});

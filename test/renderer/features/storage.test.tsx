// @vitest-environment jsdom
import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { renderApp } from '../support/render-app.tsx';

const bob = 'sip:bob@lab.test';
const locked = (made: Parameters<NonNullable<Parameters<typeof renderApp>[1]>>[0]) => {
  made.storage = { state: 'locked' };
};

async function openStorage(user: Awaited<ReturnType<typeof renderApp>>['user']) {
  await user.click(await screen.findByRole('button', { name: /details$/ }));
  await user.click(await screen.findByRole('button', { name: 'Messages and storage' }));
  return within(await screen.findByRole('dialog', { name: 'Messages on this device' }));
}

describe('how messages are kept', () => {
  it('asks for the passphrase, says when it is wrong, and forgets what was typed', async () => {
    const { host, user } = await renderApp({}, locked);
    const field = await screen.findByLabelText('Passphrase');
    await user.type(field, 'wrong one{Enter}');
    await screen.findByText('This is not the passphrase. Nothing was changed.');
    expect(field).toHaveProperty('value', '');
    await user.type(field, `${host.passphrase}{Enter}`);
    await waitFor(() => expect(screen.queryByText('Your messages are locked')).toBeNull());
  });

  it('sets a passphrase only when both are the same and long enough', async () => {
    const { host, user } = await renderApp({}, (made) => {
      made.storage = { state: 'undecided', reason: 'The keychain of this system cannot be used' };
    });
    const [first, again] = [await screen.findByLabelText('New passphrase'), screen.getByLabelText(/again$/)];
    await user.type(first, 'short{Enter}');
    await screen.findByText('It has fewer than 8 characters.');
    await user.type(first, ' no more');
    await user.type(again, 'something else{Enter}');
    await screen.findByText('The two are not the same.');
    await user.clear(again);
    await user.type(again, 'short no more{Enter}');
    await waitFor(() => expect(host.storage).toMatchObject({ state: 'encrypted', passphrase: true }));
    expect(host.passphrase).toBe('short no more');
  });

  it('lets the user decide to keep nothing', async () => {
    const { host, user } = await renderApp({}, (made) => {
      made.storage = { state: 'undecided', reason: 'The keychain of this system cannot be used' };
    });
    await user.click(await screen.findByRole('button', { name: 'Do not keep messages' }));
    await waitFor(() => expect(host.storage.state).toBe('memory'));
  });

  it('says why messages cannot be opened, and where a damaged file is', async () => {
    const { host, user } = await renderApp({}, (made) => {
      made.storage = { state: 'unusable', reason: 'Another process uses them.' };
    });
    await screen.findByText('Another process uses them. They are left as they are.');
    host.setStorage({ state: 'encrypted', octets: 4_096, damagedFile: '/m/messages.db.damaged' });
    const notice = await screen.findByRole('status', { name: 'The file of your messages was damaged' });
    expect(notice.textContent).toContain('/m/messages.db.damaged');
    await user.click(within(notice).getByRole('button', { name: 'Understood' }));
    expect((await openStorage(user)).getByText('/m/messages.db.damaged')).toBeTruthy();
  });

  it('removes what is older only after it was said', async () => {
    const { host, user } = await renderApp();
    const sheet = await openStorage(user);
    await user.click(sheet.getByRole('button', { name: /How long messages stay/ }));
    await user.click(await screen.findByRole('option', { name: '30 days' }));
    await sheet.findByText(/go at once, and cannot be brought back/);
    expect(host.messageCalls).toEqual([]);
    await user.click(sheet.getByRole('button', { name: 'Remove what is older' }));
    await waitFor(() => expect(host.messageCalls).toEqual(['keep all 30']));
  });

  it('removes a conversation after saying what goes', async () => {
    const { host, user } = await renderApp({}, (made) => made.receive(bob, 'hello', 'e2e'));
    await user.click(await screen.findByRole('row', { name: /^bob/ }));
    await user.click(await screen.findByRole('button', { name: 'Details of bob' }));
    const sheet = within(await screen.findByRole('dialog'));
    await user.click(sheet.getByRole('button', { name: 'Remove this conversation' }));
    expect((await sheet.findByRole('alert')).textContent).toContain('the other side keeps what it has');
    expect(host.book.views()).toHaveLength(1);
    await user.click(sheet.getByRole('button', { name: 'Remove all messages' }));
    await waitFor(() => expect(screen.queryByRole('row', { name: /^bob/ })).toBeNull());
    expect(host.book.views()).toEqual([]);
  });
});

// @vitest-environment jsdom
import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { renderApp, startConversation } from '../support/render-app.tsx';

const bob = 'sip:bob@lab.test';

describe('export, import and groups', () => {
  it('saves a conversation where the shell does, and says where', async () => {
    const { host, user } = await renderApp({}, (made) => made.receive(bob, 'hello', 'e2e'));
    await user.click(await screen.findByRole('row', { name: /^bob/ }));
    await user.click(await screen.findByRole('button', { name: 'Details of bob' }));
    const sheet = within(await screen.findByRole('dialog'));
    expect(sheet.getByText('The file is not encrypted: whoever has it can read it.')).toBeTruthy();
    await user.click(sheet.getByRole('button', { name: 'To read (HTML)' }));
    await sheet.findByText('Saved: /home/alice/bob.html');
    expect(host.messageCalls).toEqual([`export ${bob} html`]);
  });

  it('imports a file that was chosen, and tells what was left out', async () => {
    const { host, user } = await renderApp();
    await user.click(await screen.findByRole('button', { name: /details$/ }));
    await user.click(await screen.findByRole('button', { name: 'Messages and storage' }));
    const sheet = within(await screen.findByRole('dialog', { name: 'Messages on this device' }));
    await user.click(sheet.getByRole('button', { name: 'Import an export' }));
    await sheet.findByText('2 messages imported, 1 known already.');
    await sheet.findByText('1 left out: It had not been sent yet.');
    expect(host.messageCalls).toEqual(['import token']);
  });

  it('begins a conversation with several where the network passes messages on to them', async () => {
    const { host, user } = await renderApp({}, (made) => {
      made.account = { ...made.account, hasGroups: true };
    });
    await startConversation(user, 'bob, carol');
    await waitFor(() => expect(host.groups.get('group:1')).toEqual([bob, 'sip:carol@lab.test', 'sip:alice@lab.test']));
    await screen.findByText('Group of 3');
  });
});

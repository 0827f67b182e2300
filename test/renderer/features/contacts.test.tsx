// @vitest-environment jsdom
import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { renderApp } from '../support/render-app.tsx';

const bob = 'sip:bob@lab.test';
const contact = { id: 'c1', name: 'Bob Builder', addresses: [bob, 'tel:+15550100'] };

async function openContacts(user: Awaited<ReturnType<typeof renderApp>>['user']) {
  await user.click(await screen.findByRole('button', { name: 'Contacts' }));
  return within(await screen.findByRole('dialog'));
}

describe('contacts', () => {
  it('are written with several addresses, a policy and what they are told', async () => {
    const { host, user } = await renderApp();
    const sheet = await openContacts(user);
    await user.click(sheet.getByRole('button', { name: 'New contact' }));
    await user.type(sheet.getByRole('textbox', { name: 'Name' }), 'Bob Builder');
    await user.click(sheet.getByRole('button', { name: 'Save' }));
    await sheet.findByText('A contact needs an address.');
    await user.type(sheet.getByRole('textbox', { name: 'Addresses' }), 'bob{Enter}tel:+15550100');
    await user.click(sheet.getByRole('button', { name: /Protection demanded/ }));
    await user.click(await screen.findByRole('option', { name: 'Only end-to-end' }));
    await user.click(sheet.getByRole('button', { name: /Tell that it was seen/ }));
    await user.click(await screen.findByRole('option', { name: 'No' }));
    await user.click(sheet.getByRole('button', { name: 'Save' }));
    await sheet.findByRole('row', { name: /Bob Builder/ });
    expect(host.contacts).toMatchObject([
      { name: 'Bob Builder', addresses: contact.addresses, policy: 'require-e2e', receipts: { display: false } },
    ]);
  });

  it('give their names to conversations', async () => {
    const { user } = await renderApp({}, (made) => {
      made.contacts = [contact];
      made.receive(bob, 'hello', 'e2e');
    });
    await user.click(await screen.findByRole('row', { name: /^Bob Builder/ }));
    await screen.findByRole('heading', { name: 'Bob Builder' });
  });

  it('are taken from a vCard file, with a report of what was not', async () => {
    const { user } = await renderApp();
    const sheet = await openContacts(user);
    const input = document.querySelector<HTMLInputElement>('[data-cards]')!;
    await user.upload(input, new File(['BEGIN:VCARD'], 'all.vcf', { type: 'text/vcard' }));
    await sheet.findByText('2 added, 1 completed, 0 known already.');
    await sheet.findByText('Line 9: It has no address.');
    await user.upload(input, new File(['nonsense'], 'all.vcf', { type: 'text/vcard' }));
    await sheet.findByText('This is no file of contacts (vCard).');
  });

  it('tell by whose word they are available, only while that is on', async () => {
    const { host, user } = await renderApp({}, (made) => {
      made.contacts = [contact];
      made.account = { ...made.account, presence: { watches: false } };
      made.presence = [{ accountId: 'alice', peer: bob, state: 'busy', watch: 'active' }];
    });
    const sheet = await openContacts(user);
    expect(sheet.queryByText('Busy, says the network')).toBeNull();
    await user.click(sheet.getByRole('button', { name: 'Show who is available' }));
    await sheet.findByText('Busy, says the network');
    expect(host.account.presence).toEqual({ watches: true });
  });

  it('show what vouched for them, and go after a question', async () => {
    const seen = { way: 'in' as const, firstAt: Date.UTC(2026, 0, 5, 12), lastAt: Date.UTC(2026, 2, 7, 12), count: 3 };
    const { host, user } = await renderApp({}, (made) => {
      made.contacts = [contact];
      made.trust = [
        {
          ...{ accountId: 'alice', peer: bob, firstAt: 1, lastAt: 2, count: 3 },
          levels: [{ ...seen, value: 'e2e' }],
          kms: [{ ...seen, value: 'sip:kms.lab.test' }],
          protections: [],
          fingerprints: [],
        },
      ];
    });
    const sheet = await openContacts(user);
    await user.click(await sheet.findByRole('row', { name: /Bob Builder/ }));
    const history = (await sheet.findAllByText('kms.lab.test'))[0]!.parentElement!;
    expect(history.textContent).toMatch(/Received: first Jan 5, 2026, last Mar 7, 2026, 3 times/);
    await user.click(sheet.getByRole('button', { name: 'Remove contact' }));
    await user.click(await sheet.findByRole('button', { name: 'Remove from the address book' }));
    await waitFor(() => expect(host.contacts).toEqual([]));
  });
});

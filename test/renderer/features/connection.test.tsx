// @vitest-environment jsdom
import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { renderApp } from '../support/render-app.tsx';

const print = (octet: string) => Array.from({ length: 32 }, () => octet).join(':');

describe('connection', () => {
  it('tells of each flow what it proved, and of the other devices', async () => {
    const { user } = await renderApp({}, (made) => {
      const registered = { state: 'registered' as const, expires: 60 };
      const ended = { state: 'failed' as const, code: 'deregistered', explanation: 'Somebody has signed it out.' };
      const tls = {
        version: 'TLSv1.3',
        suite: 'TLS_AES_256_GCM_SHA384',
        proof: 'pin' as const,
        certificate: print('AB'),
      };
      made.account = {
        ...made.account,
        flows: [
          {
            number: 1,
            registration: registered,
            server: 'edge1.lab.test',
            connection: { transport: 'tls', tls, agreed: ['tls'] },
          },
          { number: 2, registration: ended, server: 'edge2.lab.test' },
        ],
        ownDevices: [{ name: 'Tablet' }],
      };
    });
    await user.click(await screen.findByRole('button', { name: /details$/ }));
    await user.click(await screen.findByRole('button', { name: 'Connection' }));
    const sheet = await screen.findByRole('dialog', { name: 'Connection to the network' });
    for (const words of [
      'edge1.lab.test',
      'Whose it is was not proven',
      'TLSv1.3',
      'edge2.lab.test',
      'Not connected',
      'Somebody has signed it out.',
      'Tablet',
    ]) {
      expect(sheet.textContent).toContain(words);
    }
  });

  it('shows both certificates of a server that changed, and trusts the new one on demand only', async () => {
    const changedCertificate = { serverName: 'lab.test', pinned: print('11'), shown: print('22') };
    const { host, user } = await renderApp({}, (made) =>
      made.setRegistration({ state: 'failed', code: 'tls-failed', explanation: 'Not proven.', changedCertificate }),
    );
    const group = await screen.findByRole('group', { name: 'The server shows another certificate' });
    expect(group.textContent).toContain(print('11'));
    expect(group.textContent).toContain(print('22'));
    expect(host.accepted).toEqual([]);
    await user.click(within(group).getByRole('button', { name: 'Trust the new certificate' }));
    await waitFor(() => expect(host.accepted).toEqual([print('22')]));
    await screen.findByText('Registered');
  });
});

// @vitest-environment jsdom
import { screen } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { renderApp } from '../support/render-app.tsx';

describe('account', () => {
  it.each([
    [{ state: 'registered', expires: 60 }, 'Registered'],
    [{ state: 'registering' }, 'Registering…'],
    [{ state: 'unregistered' }, 'Not registered'],
    [{ state: 'failed', code: 'timeout', explanation: 'No answer.' }, 'Registration failed'],
  ] as const)('tells %o in words', async (registration, words) => {
    await renderApp({}, (host) => host.setRegistration(registration));
    expect(screen.getByRole('button', { name: new RegExp(`${words} Account alice@lab.test`) })).toBeTruthy();
  });

  it('tells why registration failed, and registers again', async () => {
    const failed = {
      state: 'failed',
      code: 'timeout',
      explanation: 'The server did not answer.',
      willRetry: true,
    } as const;
    const { user } = await renderApp({}, (host) => host.setRegistration(failed));
    expect(
      screen.getByText('The server did not answer. Nothing can be sent or received. It is tried again by itself.'),
    ).toBeTruthy();
    await user.click(screen.getByRole('button', { name: 'Register' }));
    await screen.findByText('Registered');
    expect(screen.queryByText(/did not answer/)).toBeNull();
  });

  it('tells what the account protects', async () => {
    const { user } = await renderApp();
    await user.click(screen.getByRole('button', { name: /Account alice@lab.test/ }));
    const dialog = await screen.findByRole('dialog');
    expect(dialog.textContent).toContain('Encrypted to the server (TLS)');
    expect(dialog.textContent).toContain('kms.lab.test');
    expect(dialog.textContent).toContain('End-to-end if possible');
  });

  it('refuses an address that is none', async () => {
    const { host, user } = await renderApp();
    await user.click(screen.getByRole('button', { name: 'New conversation' }));
    await user.type(screen.getByRole('textbox', { name: 'Address' }), 'two words{Enter}');
    expect(await screen.findByText(/This is not an address/)).toBeTruthy();
    expect(host.book.views()).toEqual([]);
  });
});

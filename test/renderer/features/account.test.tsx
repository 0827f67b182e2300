// @vitest-environment jsdom
import { act, screen, waitFor, within } from '@testing-library/react';
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

  it('keeps the keyboard where it was while it unregisters and registers, so that Escape still closes', async () => {
    const { host, user } = await renderApp();
    let finish = (): void => undefined;
    const allowed = new Promise<void>((resolve) => (finish = resolve));
    // As the engine, which waits for the network's answer.
    const unregister = async () => {
      await allowed;
      return host.setRegistration({ state: 'unregistered' });
    };
    Object.assign(host, { unregister });
    await user.click(screen.getByRole('button', { name: /Account alice@lab.test/ }));
    const dialog = within(await screen.findByRole('dialog'));
    const button = dialog.getByRole('button', { name: 'Unregister' });
    await user.click(button);
    await waitFor(() => expect(button.getAttribute('aria-disabled')).toBe('true'));
    expect(document.activeElement).toBe(button);
    act(() => finish());
    const register = await dialog.findByRole('button', { name: 'Register' });
    await waitFor(() => expect(register.getAttribute('aria-disabled')).toBeNull());
    expect(document.activeElement).toBe(register);
    await user.keyboard('{Escape}');
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
  });

  it('tells that the key server is away, what that means and when it is tried again, and tries now', async () => {
    const away = {
      state: 'unreachable',
      since: 1,
      nextAttempt: Date.UTC(2026, 0, 1, 12, 0, 5),
      explanation: 'It could not be reached. Messages wait.',
      clockOffsetSeconds: -660,
    } as const;
    const { host, user } = await renderApp();
    expect(screen.queryByRole('region', { name: /key server/ })).toBeNull();
    act(() => void host.setKmsState(away));
    const notice = await screen.findByRole('region', { name: 'The key server does not answer' });
    expect(notice.textContent).toContain('It could not be reached. Messages wait. It is tried again at');
    expect(notice.textContent).toContain('11 minutes ahead');
    expect(document.querySelector('[data-announcer]')?.textContent).toContain(
      'The key server does not answer. It could',
    );
    await user.click(within(notice).getByRole('button', { name: 'Try now' }));
    await waitFor(() => expect(screen.queryByRole('region', { name: /key server/ })).toBeNull());
    expect(document.querySelector('[data-announcer]')?.textContent).toContain('The key server answers again.');
  });

  it.each([
    ['refused', 'The key server refuses', true],
    ['bootstrapping', 'Getting a key from the network…', false],
  ] as const)('tells state %s of the key server in words', async (state, words, canTry) => {
    await renderApp({}, (host) => host.setKmsState({ state, since: 1, explanation: 'Because.' }));
    const notice = screen.getByRole('region', { name: words });
    expect(within(notice).queryByRole('button', { name: 'Try now' }) !== null).toBe(canTry);
  });

  it('tells a clock that is wrong, also while the key server answers', async () => {
    await renderApp({}, (host) =>
      host.setKmsState({ state: 'ready', since: 1, explanation: 'It answers.', clockOffsetSeconds: 600 }),
    );
    expect(screen.getByRole('region', { name: 'The clock of this device is wrong' }).textContent).toContain(
      '10 minutes',
    );
  });

  it('refuses an address that is none', async () => {
    const { host, user } = await renderApp();
    await user.click(screen.getByRole('button', { name: 'New conversation' }));
    await user.type(screen.getByRole('textbox', { name: 'Address' }), 'two words{Enter}');
    expect(await screen.findByText(/This is not an address/)).toBeTruthy();
    expect(host.book.views()).toEqual([]);
  });
});

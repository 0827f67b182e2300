import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { inKeyringSession, lackOfKeyring } from './support/keyring-session.ts';
import { needing } from '../support/needs/needs.ts';

const user = fileURLToPath(new URL('support/keychain-user.ts', import.meta.url));
const home = mkdtempSync(join(tmpdir(), 'tessera-keychain-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

interface Answer {
  readonly health: { readonly usable: boolean; readonly reason?: string };
  readonly found: string | null;
  readonly names: readonly string[];
  readonly left: readonly string[];
}

const inSession = (unlock: string, steps: readonly string[]): Answer[] =>
  inKeyringSession(user, home, unlock, steps) as Answer[];

describe('the keychain of the desktop, through keytar', needing(lackOfKeyring()), () => {
  it('keeps a secret from one process to the next, and forgets it when told', () => {
    const name = 'sip:alice@lab.test/password';
    const unlock = 'printf secret | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1;';
    const [written, read] = inSession(unlock, ['write', 'read']);
    expect(written).toEqual({ health: { usable: true }, found: 'pässword', names: [name], left: [name] });
    expect(read).toEqual({ health: { usable: true }, found: 'pässword', names: [name], left: [] });
  });

  it('says that it is not usable where no keyring runs, and keeps the secret for that process only', () => {
    const [written, read] = inSession('', ['write', 'read']);
    expect(written).toMatchObject({ health: { usable: false }, found: 'pässword' });
    expect(written?.health.reason).toBeTruthy();
    expect(read).toMatchObject({ health: { usable: false }, found: null });
  });
});

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { inKeyringSession, lackOfKeyring } from './support/keyring-session.ts';
import { needing } from '../support/needs/needs.ts';

const user = fileURLToPath(new URL('support/kek-user.ts', import.meta.url));
const home = mkdtempSync(join(tmpdir(), 'tessera-kek-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

interface Answer {
  readonly digest?: string;
  readonly problem?: string;
}

const inSession = (unlock: string, steps: readonly string[]): Answer[] =>
  inKeyringSession(user, home, unlock, steps) as Answer[];

describe('the key-encryption key in the keychain, through keytar', needing(lackOfKeyring()), () => {
  it('is made once and found by the next process', () => {
    const unlock = 'printf secret | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1;';
    const [missing, made, read] = inSession(unlock, ['read', 'make', 'read']);
    expect(missing?.problem).toMatch(/keychain entry test is missing/);
    expect(made?.digest).toMatch(/^[0-9a-f]{64}$/);
    expect(read).toEqual(made);
  });

  it('is refused with the reason where no keyring runs', () => {
    const [made] = inSession('', ['make']);
    expect(made?.problem).toMatch(/kms.keyEncryptionKey: no keychain: /);
  });
});

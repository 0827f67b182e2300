import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

const user = fileURLToPath(new URL('support/kek-user.ts', import.meta.url));
const home = mkdtempSync(join(tmpdir(), 'tessera-kek-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

function whyNot(): string | undefined {
  if (!existsSync('node_modules/keytar/build/Release/keytar.node')) return 'keytar was not built on this machine';
  for (const tool of ['dbus-run-session', 'gnome-keyring-daemon']) {
    if (spawnSync('which', [tool]).status !== 0) return `${tool} is not installed`;
  }
  return undefined;
}

const reason = whyNot();
if (reason !== undefined) process.stderr.write(`The KMS's key in the keychain is not tested: ${reason}.\n`);

interface Answer {
  readonly digest?: string;
  readonly problem?: string;
}

/** One process after another on one session bus with a keyring of its own. */
function inSession(unlock: string, steps: readonly string[]): Answer[] {
  const commands = steps.map((step) => `"${process.execPath}" "${user}" ${step}`).join(' && ');
  const run = spawnSync('dbus-run-session', ['--', 'sh', '-c', `${unlock} ${commands}`], {
    encoding: 'utf8',
    timeout: 55_000,
    env: { PATH: process.env.PATH, HOME: home, XDG_DATA_HOME: home, XDG_RUNTIME_DIR: home },
  });
  if (run.status !== 0) throw new Error(`the session ended with ${run.status}: ${run.stderr}`);
  return run.stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Answer);
}

describe.skipIf(reason !== undefined)('the key-encryption key in the keychain, through keytar', () => {
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

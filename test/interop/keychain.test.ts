import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

const user = fileURLToPath(new URL('support/keychain-user.ts', import.meta.url));
const home = mkdtempSync(join(tmpdir(), 'tessera-keychain-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

function whyNot(): string | undefined {
  if (!existsSync('node_modules/keytar/build/Release/keytar.node')) return 'keytar was not built on this machine';
  for (const tool of ['dbus-run-session', 'gnome-keyring-daemon']) {
    if (spawnSync('which', [tool]).status !== 0) return `${tool} is not installed`;
  }
  return undefined;
}

const reason = whyNot();
if (reason !== undefined) process.stderr.write(`The keychain tests are skipped: ${reason}.\n`);

interface Answer {
  readonly health: { readonly usable: boolean; readonly reason?: string };
  readonly found: string | null;
  readonly names: readonly string[];
  readonly left: readonly string[];
}

/** One process after another on one session bus with a keyring of its own. */
function inSession(unlock: string, steps: readonly string[]): Answer[] {
  const commands = steps.map((step) => `"${process.execPath}" "${user}" ${step}`).join(' && ');
  const run = spawnSync('dbus-run-session', ['--', 'sh', '-c', `${unlock} ${commands}`], {
    encoding: 'utf8',
    timeout: 50_000,
    env: { PATH: process.env.PATH, HOME: home, XDG_DATA_HOME: home, XDG_RUNTIME_DIR: home },
  });
  if (run.status !== 0) throw new Error(`the session ended with ${run.status}: ${run.stderr}`);
  return run.stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Answer);
}

describe.skipIf(reason !== undefined)('the keychain of the desktop, through keytar', () => {
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

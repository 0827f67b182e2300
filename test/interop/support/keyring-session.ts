import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** Why no keyring can be had here; undefined when one can. */
export function whyNoKeyring(): string | undefined {
  if (!existsSync('node_modules/keytar/build/Release/keytar.node')) return 'keytar was not built on this machine';
  for (const tool of ['dbus-run-session', 'gnome-keyring-daemon']) {
    if (spawnSync('which', [tool]).status !== 0) return `${tool} is not installed`;
  }
  return undefined;
}

/**
 * Runs a program once for each step, one after the other, on one session bus with a keyring of its own.
 * @param user path of the program.
 * @param home where the keyring is kept.
 * @param unlock shell commands that come first.
 * @returns the lines of JSON that the steps printed. @throws Error when a step fails.
 */
export function inKeyringSession(user: string, home: string, unlock: string, steps: readonly string[]): unknown[] {
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
    .map((line): unknown => JSON.parse(line));
}

import { spawnSync } from 'node:child_process';
import { lackOfKeytar } from '../../support/needs/common-needs.ts';
import { lackOfProgram, type Lack } from '../../support/needs/needs.ts';

/** Undefined where a keyring can be had. */
export const lackOfKeyring = (): Lack | undefined =>
  lackOfKeytar() ??
  lackOfProgram(['dbus'], 'dbus-run-session') ??
  lackOfProgram(['gnome-keyring'], 'gnome-keyring-daemon');

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

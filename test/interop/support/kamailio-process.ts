import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { findInLibraries, findProgram } from '../../support/needs/find-program.ts';
import type { Lack } from '../../support/needs/needs.ts';

const folders = findInLibraries('kamailio', 'modules');
const program = findProgram('kamailio');
const packages = [
  'kamailio',
  'kamailio-tls-modules',
  'kamailio-extra-modules',
  'kamailio-websocket-modules',
  'kamailio-outbound-modules',
];

/** Undefined where Kamailio can run with these modules. */
export function lackOfKamailio(modules: readonly string[]): Lack | undefined {
  if (program === undefined) return { reason: 'kamailio is not installed', packages };
  if (spawnSync(program, ['-v'], { stdio: 'ignore' }).status !== 0) {
    return { reason: 'the kamailio that is installed does not start', packages };
  }
  const absent = modules.filter((name) => !folders.some((folder) => existsSync(join(folder, `${name}.so`))));
  return absent.length === 0 ? undefined : { reason: `kamailio lacks its modules ${absent.join(', ')}`, packages };
}

/** The folder that has these modules; empty when there is none. */
export function kamailioModules(modules: readonly string[]): string {
  return folders.find((folder) => modules.every((name) => existsSync(join(folder, `${name}.so`)))) ?? '';
}

export interface KamailioProcess {
  /** All that it has logged. */
  output(): string;
  stop(): Promise<void>;
}

/**
 * Starts Kamailio and waits until it accepts on a TCP port of 127.0.0.1.
 * @returns undefined when it ended instead, as it does when a port was taken meanwhile; its last words are on standard error.
 */
export async function startKamailio(options: {
  readonly folder: string;
  /** Path of the configuration file. */
  readonly configuration: string;
  readonly port: number;
  /** What starts it inside another network, see `network-namespace.ts`. */
  readonly within?: readonly string[];
}): Promise<KamailioProcess | undefined> {
  const file = (name: string): string => join(options.folder, name);
  const name = options.configuration.split('/').at(-1) ?? 'kamailio';
  const run = file(`run-${name}`);
  mkdirSync(run, { recursive: true });
  const parameters = ['-f', options.configuration, '-DD', '-E', '-P', file(`pid-${name}`), '-Y', run, '-w', run];
  const within = options.within ?? [];
  const [command, ...rest] = [...within, program ?? '', ...parameters, '-m', '256', '-M', '32'];
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (bytes: Buffer) => (output += bytes.toString('latin1')));
  child.stderr.on('data', (bytes: Buffer) => (output += bytes.toString('latin1')));
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
  while (!hasEnded() && !(await accepts(options.port, within))) await new Promise((resolve) => setTimeout(resolve, 50));
  if (hasEnded()) {
    process.stderr.write(output.slice(-2_000));
    return undefined;
  }
  return {
    output: () => output,
    stop: async () => {
      // Its workers end with it on SIGTERM; a SIGKILL would leave them behind.
      child.kill('SIGTERM');
      await ended;
    },
  };
}

function accepts(port: number, within: readonly string[]): Promise<boolean> {
  const [command, ...rest] = [...within, 'bash', '-c', `exec 3<>/dev/tcp/127.0.0.1/${port}`];
  return new Promise((resolve) => {
    const probe = spawn(command, rest, { stdio: 'ignore' });
    probe.once('error', () => resolve(false)).once('close', (code) => resolve(code === 0));
  });
}

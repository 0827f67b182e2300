import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

const folders = ['/usr/lib/x86_64-linux-gnu/kamailio/modules', '/usr/lib/aarch64-linux-gnu/kamailio/modules'];
const program = ['/usr/sbin/kamailio', '/usr/bin/kamailio'].find((path) => existsSync(path));

/** Undefined where Kamailio can run with these modules, else what is missing. */
export function whatKamailioLacks(modules: readonly string[]): string | undefined {
  if (program === undefined) return 'kamailio';
  if (spawnSync(program, ['-v'], { stdio: 'ignore' }).status !== 0) return 'a kamailio that starts';
  return kamailioModules(modules) === '' ? `the modules ${modules.join(', ')} of kamailio` : undefined;
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

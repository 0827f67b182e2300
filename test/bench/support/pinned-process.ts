import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const taskset = '/usr/bin/taskset';
const ticksPerSecond = 100;

/** A server process that has one core for itself, where the system can give it one. */
export interface PinnedProcess {
  readonly child: ChildProcess;
  /** First line of its standard output. */
  readonly firstLine: string;
  /** Seconds of processor time that it and its threads have used so far. */
  cpuSeconds(): number;
  stop(): Promise<void>;
}

/** True when processes can be bound to a core, so that "per core" can be said. */
export const canPin = existsSync(taskset);

function onCore(core: number, command: string, args: readonly string[]): [string, string[]] {
  return canPin ? [taskset, ['-c', String(core), command, ...args]] : [command, [...args]];
}

/** Starts a program on one core and waits for its first line, or for `isReady` where it prints none. */
export async function startPinned(
  core: number,
  command: string,
  args: readonly string[],
  options: {
    readonly env?: NodeJS.ProcessEnv;
    readonly isReady?: () => Promise<boolean>;
    /** A channel for messages, for a program that is Node itself. */
    readonly hasChannel?: boolean;
  } = {},
): Promise<PinnedProcess> {
  const [program, programArgs] = onCore(core, command, args);
  const child = spawn(program, programArgs, {
    stdio: ['ignore', 'pipe', 'inherit', ...(options.hasChannel === true ? (['ipc'] as const) : [])],
    ...(options.env === undefined ? {} : { env: options.env }),
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const firstLine = await Promise.race([
    options.isReady === undefined ? lineOf(child) : readiness(options.isReady),
    ended.then(() => Promise.reject(new Error(`${command} ended with status ${child.exitCode ?? 'unknown'}`))),
  ]);
  return {
    child,
    firstLine,
    cpuSeconds: () => cpuSecondsOf(child.pid ?? 0),
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

function lineOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    if (child.stdout === null) {
      reject(new Error('no standard output'));
      return;
    }
    createInterface({ input: child.stdout }).once('line', resolve);
  });
}

async function readiness(isReady: () => Promise<boolean>): Promise<string> {
  while (!(await isReady())) await new Promise((resolve) => setTimeout(resolve, 50));
  return '';
}

/** proc_pid_stat(5): fields 14 and 15, in clock ticks; the name in parentheses may hold spaces. */
function cpuSecondsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

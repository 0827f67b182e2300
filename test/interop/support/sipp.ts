import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lackOfProgram, type Lack } from '../../support/needs/needs.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const packages = ['sip-tester'];

/** Undefined where SIPp can run. */
export function lackOfSipp(): Lack | undefined {
  const lack = lackOfProgram(packages, 'sipp');
  if (lack !== undefined) return lack;
  const { stdout, stderr } = spawnSync('sipp', ['-v'], { encoding: 'utf8' });
  return /SIPp v3/.test(`${stdout}${stderr}`) ? undefined : { reason: 'the sipp that is here is no SIPp 3', packages };
}

export interface SippOptions {
  /** XML, see `sipp-scenario.ts`. */
  readonly scenario: string;
  readonly transport: 'udp' | 'tcp';
  /** It ends after so many calls: a call is all that has one Call-ID. */
  readonly calls: number;
  /** Copies of a request that came go through the scenario; otherwise SIPp answers them by itself as the request before. */
  readonly seesCopies?: boolean;
  /** What comes with the Call-ID of a call that is over begins another one; otherwise it is ignored. */
  readonly forgetsCalls?: boolean;
}

export interface SippOutcome {
  /** 0: every call went as the scenario says, and no message came that it does not foresee. */
  readonly code: number | null;
  readonly successful: number;
  readonly failed: number;
}

/** SIPp as a SIP server on a free port of 127.0.0.1 (Linux: the port is found through /proc). */
export class Sipp {
  readonly port: number;
  readonly #process: ChildProcess;
  readonly #outcome: Promise<SippOutcome>;
  readonly #folder: string;
  readonly #isUdp: boolean;

  private constructor(
    process: ChildProcess,
    options: { readonly port: number; readonly folder: string; readonly isUdp: boolean },
    outcome: Promise<SippOutcome>,
  ) {
    this.#process = process;
    this.port = options.port;
    this.#folder = options.folder;
    this.#isUdp = options.isUdp;
    this.#outcome = outcome;
  }

  static async start({
    scenario,
    transport,
    calls,
    seesCopies = false,
    forgetsCalls = false,
  }: SippOptions): Promise<Sipp> {
    const folder = temporaryFolder('sipp');
    const file = (name: string): string => join(folder, name);
    writeFileSync(file('scenario.xml'), scenario);
    const parameters = ['-sf', file('scenario.xml'), '-m', `${calls}`, '-i', '127.0.0.1', '-ci', '127.0.0.2'];
    // Without its watchdog, which ends SIPp on a machine that is slow.
    parameters.push('-t', transport === 'udp' ? 'u1' : 't1', '-nostdin', '-watchdog_interval', '0');
    parameters.push('-timeout', '100s', '-timeout_error');
    parameters.push('-trace_msg', '-message_file', file('messages'), '-trace_logs', '-log_file', file('log'));
    parameters.push('-trace_err', '-error_file', file('errors'));
    if (seesCopies) parameters.push('-nr');
    if (forgetsCalls) parameters.push('-deadcall_wait', '0');
    const child = spawn('sipp', parameters, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (bytes: Buffer) => (output += bytes.toString()));
    child.stderr.on('data', (bytes: Buffer) => (output += bytes.toString()));
    const outcome = new Promise<SippOutcome>((resolve) => {
      child.once('error', () => resolve({ code: null, successful: 0, failed: 0 }));
      child.once('close', (code) => resolve({ code, ...callsIn(output) }));
    });
    const port = await portOf(child, transport);
    if (port === undefined) throw new Error(`sipp does not start: ${output.slice(-2_000)}${textOf(file('errors'))}`);
    return new Sipp(child, { port, folder, isUdp: transport === 'udp' }, outcome);
  }

  /** What the scenario has logged, line by line. */
  get log(): readonly string[] {
    return textOf(join(this.#folder, 'log')).split('\n').filter(Boolean);
  }

  /** All messages that came and left, with times. */
  get messages(): string {
    return textOf(join(this.#folder, 'messages'));
  }

  /** What came that the scenario does not foresee. Not that the machine is slow, nor late copies of datagrams because it is. */
  get errors(): readonly string[] {
    const lines = textOf(join(this.#folder, 'errors')).split(/\n(?=\d{4}-\d\d-\d\d|[^\n]*following events)/);
    return lines.filter(
      (line) =>
        !/^\s*$|following events occurred|Overload warning|receive timeout/.test(line) &&
        !(this.#isUdp && /Dead call/.test(line)),
    );
  }

  /** Resolves when its calls are over. */
  ended(): Promise<SippOutcome> {
    return this.#outcome;
  }

  async stop(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#outcome;
  }
}

/** Of its last screen: cumulative numbers stand in the last column. */
function callsIn(output: string): { successful: number; failed: number } {
  const last = (name: string): number => {
    const lines = [...output.matchAll(new RegExp(`${name} call\\s*\\|\\s*\\d+\\s*\\|\\s*(\\d+)`, 'g'))];
    return Number(lines.at(-1)?.[1] ?? 0);
  };
  return { successful: last('Successful'), failed: last('Failed') };
}

/** Undefined when it ended without having listened. */
async function portOf(child: ChildProcess, transport: 'udp' | 'tcp'): Promise<number | undefined> {
  while (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
    const port = listeningPort(child.pid, transport);
    if (port !== undefined) return port;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return undefined;
}

/** The port of 127.0.0.1 that this process has bound (UDP) or listens on (TCP). */
function listeningPort(pid: number, transport: 'udp' | 'tcp'): number | undefined {
  const inodes = new Set(socketsOf(pid));
  const listening = '0A';
  for (const line of textOf(`/proc/${pid}/net/${transport}`).split('\n')) {
    const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
    const [address, port = ''] = local.split(':');
    if (address !== '0100007F' || !inodes.has(inode) || (transport === 'tcp' && state !== listening)) continue;
    return Number.parseInt(port, 16);
  }
  return undefined;
}

function socketsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      const [, inode] = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`)) ?? [];
      return inode === undefined ? [] : [inode];
    });
  } catch {
    // It has ended, or a descriptor was closed meanwhile.
    return [];
  }
}

function textOf(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findInLibraries, namesIn } from '../../support/needs/find-program.ts';
import type { Lack } from '../../support/needs/needs.ts';

/** The newest PostgreSQL that Debian's package put here. */
function binaries(): string | undefined {
  return findInLibraries('postgresql')
    .flatMap((folder) => namesIn(folder).map((version) => ({ version: Number(version), folder })))
    .sort((a, b) => b.version - a.version)
    .map(({ folder, version }) => join(folder, String(version), 'bin'))
    .find((bin) => existsSync(join(bin, 'initdb')));
}

const isRoot = process.getuid?.() === 0;

/** Undefined where a PostgreSQL can be started. */
export function lackOfPostgres(): Lack | undefined {
  if (binaries() === undefined) return { reason: 'PostgreSQL is not installed', packages: ['postgresql'] };
  if (isRoot && spawnSync('id', ['postgres']).status !== 0) {
    return { reason: 'PostgreSQL refuses root, and there is no user postgres', packages: ['postgresql'] };
  }
  return undefined;
}

/** A PostgreSQL of our own in a temporary folder, reached over a socket in it. */
export class PostgresServer {
  readonly #folder: string;
  readonly #data: string;

  constructor() {
    // Short: the path of a socket has little room.
    this.#folder = mkdtempSync(join(tmpdir(), 'tessera-pg-'));
    this.#data = join(this.#folder, 'data');
    mkdirSync(this.#data);
    if (isRoot) run('chown', ['-R', 'postgres', this.#folder]);
    this.#run('initdb', ['-D', this.#data, '-A', 'trust', '-U', 'kms', '-E', 'UTF8', '--locale=C', '--no-sync']);
    this.#start();
  }

  /** A new database, empty. */
  createDatabase(name: string): string {
    this.#run('createdb', ['-h', this.#folder, '-U', 'kms', name]);
    return `postgres://kms@/${name}?host=${encodeURIComponent(this.#folder)}`;
  }

  /** Ends the server as a broken network would, for whoever is connected. */
  stop(): void {
    this.#run('pg_ctl', ['stop', '-D', this.#data, '-m', 'immediate', '-w']);
  }

  /** After `stop`. */
  restart(): void {
    this.#start();
  }

  /** Stops it and takes its folder away. */
  remove(): void {
    if (existsSync(join(this.#data, 'postmaster.pid'))) this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #start(): void {
    const log = join(this.#folder, 'log');
    // Our tests end the server, never the machine: what it wrote is there without waiting for a slow disk.
    const options = `-k ${this.#folder} -c listen_addresses= -c shared_buffers=16MB -c fsync=off`;
    this.#run('pg_ctl', ['start', '-D', this.#data, '-l', log, '-w', '-t', '120', '-o', options], log);
  }

  #run(program: string, parameters: readonly string[], log?: string): void {
    const path = join(binaries() ?? '', program);
    if (isRoot) run('runuser', ['-u', 'postgres', '--', path, ...parameters], log);
    else run(path, parameters, log);
  }
}

function run(program: string, parameters: readonly string[], log?: string): void {
  // The server would keep pipes of ours open: it gets none.
  const { status, error } = spawnSync(program, parameters, { stdio: 'ignore', cwd: tmpdir(), timeout: 150_000 });
  if (status === 0) return;
  const said = log !== undefined && existsSync(log) ? `: ${readFileSync(log, 'utf8')}` : '';
  throw new Error(`${program} ${parameters.join(' ')} ended with ${status ?? String(error)}${said}`);
}

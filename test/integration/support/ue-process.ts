import { spawn, type ChildProcess } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '../../support/temporary-folder.ts';

export type RpcLine = Readonly<Record<string, unknown>> & {
  readonly id?: unknown;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: Readonly<Record<string, unknown>>;
};

const program = fileURLToPath(new URL('../../../src/cli/ue.ts', import.meta.url));

/** A scriptable UE in a process of its own, spoken to line by line. */
export class UeProcess {
  readonly child: ChildProcess;
  readonly lines: RpcLine[] = [];
  readonly exited: Promise<number | null>;
  stderr = '';
  #nextId = 1;
  readonly #waiting = new Set<() => void>();

  private constructor(config: string, before: readonly string[]) {
    const [command, ...rest] = [...before, process.execPath, program, '--config', config, '--log', 'debug'];
    this.child = spawn(command, rest);
    this.exited = new Promise((resolve) => this.child.on('exit', (code) => resolve(code)));
    createInterface({ input: this.child.stdout! }).on('line', (line) => {
      this.lines.push(JSON.parse(line) as RpcLine);
      for (const check of [...this.#waiting]) check();
    });
    this.child.stderr!.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
  }

  /**
   * @param folder of the configuration file, and of what the UE keeps beside it
   * @param before program and parameters that start it, when it is not to be started as it is
   */
  static async start(
    config: object,
    folder = temporaryFolder('ue'),
    before: readonly string[] = [],
  ): Promise<UeProcess> {
    const file = join(folder, 'ue.json');
    await writeFile(file, JSON.stringify(config), { mode: 0o600 });
    return new UeProcess(file, before);
  }

  write(line: string): void {
    this.child.stdin!.write(`${line}\n`);
  }

  async call(method: string, params: object = {}, milliseconds?: number): Promise<RpcLine> {
    const id = this.#nextId++;
    this.write(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
    return this.line((line) => line.id === id, method, milliseconds);
  }

  /** The first line that fits, come or to come. */
  line(fits: (line: RpcLine) => boolean, what: string, milliseconds = 45_000): Promise<RpcLine> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(check);
        reject(new Error(`no line for ${what}; stderr: ${this.stderr.slice(-2_000)}`));
      }, milliseconds);
      const check = (): void => {
        const found = this.lines.find(fits);
        if (found === undefined) return;
        clearTimeout(timer);
        this.#waiting.delete(check);
        resolve(found);
      };
      this.#waiting.add(check);
      check();
    });
  }
}

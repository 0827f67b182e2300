import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

export interface ProcessCommand {
  readonly name: string;
  /** Program and arguments for Node. */
  readonly args: readonly string[];
  /** Gets what it writes on stderr. */
  readonly logFile: string;
}

const keptLines = 60;

/** A program of the network under test, which is killed and started again with the same arguments. */
export class SupervisedProcess {
  readonly name: string;
  /** The last lines that it wrote on stderr, over all its lives. */
  readonly lastLines: string[] = [];
  /** How often it ended without having been killed by us. */
  ownEnds = 0;
  readonly #args: readonly string[];
  readonly #logFile: string;
  #onLine: (line: string) => void = () => undefined;
  #onErrorLine: (line: string) => void = () => undefined;
  #child: ChildProcess | undefined;

  constructor({ name, args, logFile }: ProcessCommand) {
    this.#logFile = logFile;
    this.name = name;
    this.#args = args;
  }

  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  onLine(listener: (line: string) => void): void {
    this.#onLine = listener;
  }

  onErrorLine(listener: (line: string) => void): void {
    this.#onErrorLine = listener;
  }

  start(): void {
    const child = spawn(process.execPath, [...this.#args], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child = child;
    child.stdin.on('error', () => undefined);
    createInterface({ input: child.stdout }).on('line', (line) => {
      // What a life left behind is not heard by the next.
      if (this.#child === child) this.#onLine(line);
    });
    createInterface({ input: child.stderr }).on('line', (line) => {
      appendFileSync(this.#logFile, `${line}\n`);
      this.lastLines.push(line);
      if (this.lastLines.length > keptLines) this.lastLines.shift();
      this.#onErrorLine(line);
    });
    child.on('exit', (code, signal) => {
      if (this.#child !== child) return;
      this.#child = undefined;
      this.ownEnds += 1;
      this.lastLines.push(`(${this.name} ended by itself: status ${code ?? '-'}, signal ${signal ?? '-'})`);
    });
  }

  /** Starts and resolves when it has written a line that fits; rejects when it ends before. */
  async startUntil(fits: (line: string) => boolean): Promise<void> {
    this.start();
    const child = this.#child;
    if (child === undefined) return;
    await new Promise<void>((resolve, reject) => {
      const onLine = this.#onLine;
      this.#onLine = (line) => {
        onLine(line);
        if (!fits(line)) return;
        this.#onLine = onLine;
        resolve();
      };
      child.once('exit', () => reject(new Error(`${this.name} could not start: ${this.lastLines.at(-2) ?? ''}`)));
    });
  }

  write(line: string): void {
    this.#child?.stdin?.write(`${line}\n`);
  }

  /** With SIGKILL: it has no time for anything. Resolves when it is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    this.#child = undefined;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }
}

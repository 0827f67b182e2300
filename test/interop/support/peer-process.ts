import { spawn, type ChildProcess } from 'node:child_process';
import { createServer } from 'node:net';

/** A port that was free a moment ago, for programs that cannot choose one themselves. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** A foreign program whose standard input and output carry what goes over its connection. */
export class PeerProcess {
  readonly #process: ChildProcess;
  #output = '';
  #errors = '';

  constructor(program: string, parameters: readonly string[]) {
    this.#process = spawn(program, parameters, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#process.stdout?.on('data', (bytes: Buffer) => (this.#output += bytes.toString('latin1')));
    this.#process.stderr?.on('data', (bytes: Buffer) => (this.#errors += bytes.toString('latin1')));
    this.#process.stdin?.on('error', () => undefined);
    this.#process.on('error', (error) => (this.#errors += error.message));
  }

  get output(): string {
    return this.#output;
  }

  get errors(): string {
    return this.#errors;
  }

  write(bytes: Uint8Array): void {
    this.#process.stdin?.write(bytes);
  }

  /** The first match in what the program has said. Rejects with all of it when it does not come. */
  async waitFor(pattern: RegExp, milliseconds = 10_000): Promise<RegExpExecArray> {
    for (const end = Date.now() + milliseconds; Date.now() < end;) {
      const match = pattern.exec(`${this.#errors}\n${this.#output}`);
      if (match !== null) return match;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error(`no ${String(pattern)} in:\n${this.#errors}\n${this.#output}`);
  }

  stop(): void {
    this.#process.kill('SIGKILL');
  }
}

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../../../src/cli/kms.ts', import.meta.url));

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `npm run kms` with these words until it ends by itself. */
export async function kmsCommand(
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<CommandResult> {
  const child = spawn(process.execPath, [program, ...words], { env: { ...process.env, ...environment } });
  const text = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (text.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (text.stderr += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...text };
}

/** A server that `npm run kms` runs. */
export class KmsProcess {
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  readonly url: string;

  private constructor(child: ChildProcess, closed: Promise<unknown>, url: string) {
    this.#child = child;
    this.#closed = closed;
    this.url = url;
  }

  /** Resolves when it says that it listens; rejects with what it said when it ends before. */
  static async start(configPath: string): Promise<KmsProcess> {
    const child = spawn(process.execPath, [program, '--config', configPath, '--quiet']);
    const closed = once(child, 'close');
    let errors = '';
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    for await (const line of createInterface({ input: child.stdout })) {
      const [, url] = /listens on (https:\S+)$/.exec(line) ?? [];
      if (url !== undefined) return new KmsProcess(child, closed, url);
    }
    throw new Error(`it ended without listening: ${errors}`);
  }

  /** @returns exit status and signal. */
  async end(signal: 'SIGTERM' | 'SIGINT' | 'SIGKILL'): Promise<unknown> {
    this.#child.kill(signal);
    return this.#closed;
  }
}

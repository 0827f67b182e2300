import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { runKms } from '../../../src/cli/kms/run-kms.ts';

const program = fileURLToPath(new URL('../../../src/cli/kms.ts', import.meta.url));

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `npm run kms` with these words, within this process; for commands that end by themselves. */
export async function kmsCommand(words: readonly string[]): Promise<CommandResult> {
  const text = { stdout: '', stderr: '' };
  const code = await runKms(words, {
    print: (line) => (text.stdout += `${line}\n`),
    printError: (line) => (text.stderr += `${line}\n`),
  });
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

  /** Runs it until it ends by itself. */
  static async result(words: readonly string[]): Promise<{ readonly code: unknown; readonly stderr: string }> {
    const child = spawn(process.execPath, [program, ...words]);
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.stdout.resume();
    const [code] = (await once(child, 'close')) as readonly unknown[];
    return { code, stderr };
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

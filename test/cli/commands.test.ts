import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const folder = fileURLToPath(new URL('../../src/cli', import.meta.url));

interface Ended {
  readonly status: number | string | null | undefined;
  readonly output: string;
  readonly errors: string;
}

function run(command: string, ...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [join(folder, `${command}.ts`), ...args], (error, output, errors) =>
      resolve({ status: error === null ? 0 : error.code, output, errors }),
    );
  });
}

const commands = ['demo', 'lab', 'kms', 'ue'];
const oneLine = /^[^\n]+\n$/;

describe('the commands', () => {
  it.each(commands)('%s tells in one line which argument it does not know', async (command) => {
    const { status, errors } = await run(command, '--colour');
    expect(status).toBe(2);
    expect(errors).toMatch(oneLine);
    expect(errors).toContain("'--colour'");
  });

  it.each(commands)('%s tells its options and ends well', async (command) => {
    const { status, output, errors } = await run(command, '--help');
    expect(status).toBe(0);
    expect(output).toContain(`npm run ${command}`);
    expect(errors).toBe('');
  });

  it.each(['kms', 'ue'])('%s names the configuration file that it cannot read', async (command) => {
    const file = join(folder, 'absent.json');
    const { status, errors } = await run(command, '--config', file);
    expect(status).toBe(1);
    expect(errors).toMatch(oneLine);
    expect(errors).toContain('absent.json');
  });

  it.each(['kms', 'ue'])('%s says that it needs a configuration file', async (command) => {
    const { status, errors } = await run(command);
    expect(status).toBe(2);
    expect(errors).toMatch(oneLine);
    expect(errors).toContain('--config');
  });

  it('the lab takes no port that is none', async () => {
    const { status, errors } = await run('lab', '--kms-port', '70000');
    expect(status).toBe(2);
    expect(errors).toContain('--kms-port');
  });
});

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));

describe('the bundle of the desktop app', () => {
  it('is a module that Node can read', { timeout: 120_000 }, async () => {
    await run(process.execPath, ['build/bundle-electron.ts'], { cwd: root });
    await expect(run(process.execPath, ['--check', 'dist/electron/main.js'], { cwd: root })).resolves.toBeDefined();
  });
});

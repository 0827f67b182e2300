import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const projectDir = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** The folder of the built screens; builds them when they are not there or older than their source. @throws Error when the build fails */
export async function buildRenderer(): Promise<string> {
  const built = join(projectDir, 'dist', 'renderer');
  if (isUpToDate(join(built, 'index.html'))) return built;
  console.error('Building the screens ...');
  const vite = join(projectDir, 'node_modules', 'vite', 'bin', 'vite.js');
  const build = spawn(process.execPath, [vite, 'build', '--config', 'renderer/vite.config.ts', '--logLevel', 'warn'], {
    cwd: projectDir,
    // Standard output may belong to somebody who reads JSON from it.
    stdio: ['ignore', 2, 2],
  });
  const [status] = (await once(build, 'exit')) as [number | null];
  if (status !== 0) throw new Error('the screens could not be built; "npm run build:renderer" shows why');
  return built;
}

function isUpToDate(page: string): boolean {
  if (!existsSync(page)) return false;
  const builtAt = statSync(page).mtimeMs;
  return ['renderer', join('src', 'contract')]
    .flatMap((folder) => readdirSync(join(projectDir, folder), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .every((entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs <= builtAt);
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeError } from '../base/errors.ts';
import { buildRenderer } from './build-renderer.ts';
import { findElectronBinary } from './electron-binary.ts';

const projectDir = fileURLToPath(new URL('../..', import.meta.url));

/** `npm start`: the desktop app, or the console's pages where no Electron binary is present. Arguments go to the app. */
async function main(): Promise<number> {
  const binary = findElectronBinary({
    packageDir: join(projectDir, 'node_modules', 'electron'),
    overrideDir: process.env.ELECTRON_OVERRIDE_DIST_PATH,
    platform: process.platform,
  });
  if (binary === undefined) {
    console.log('No Electron binary is present on this machine; the same screens open in a browser, on the lab:');
    return run(process.execPath, [join(projectDir, 'src', 'cli', 'demo.ts'), '--pages-only']);
  }
  await buildRenderer();
  const status = await run(process.execPath, [join(projectDir, 'build', 'bundle-electron.ts')]);
  if (status !== 0) return status;
  return run(binary, [projectDir, ...process.argv.slice(2)]);
}

async function run(command: string, args: readonly string[]): Promise<number> {
  const child = spawn(command, args, { cwd: projectDir, stdio: 'inherit' });
  // The terminal sends these to the child as well; it ends in its own time, and this process after it.
  const wait = (): void => undefined;
  process.on('SIGINT', wait);
  const forward = (): void => void child.kill('SIGTERM');
  process.on('SIGTERM', forward);
  try {
    const [status] = (await once(child, 'exit')) as [number | null];
    return status ?? 1;
  } finally {
    process.off('SIGINT', wait);
    process.off('SIGTERM', forward);
  }
}

main().then(
  (status) => (process.exitCode = status),
  (error: unknown) => {
    console.error(`Tessera could not be started: ${describeError(error)}`);
    process.exitCode = 1;
  },
);

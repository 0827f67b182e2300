import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** Beside the packages, so that those which are not bundled are found. */
const folder = fileURLToPath(new URL('../../../node_modules/.cache/bench/', import.meta.url));

/** Makes one file of a program, as the desktop app is one (build/bundle-electron.ts). @returns its path */
export async function bundleProgram(program: string, name: string): Promise<string> {
  const outfile = `${folder}${name}.js`;
  await mkdir(dirname(outfile), { recursive: true });
  await build({
    entryPoints: [program],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    logLevel: 'error',
    external: ['keytar'],
    banner: {
      js: "import { createRequire as bannerRequire } from 'node:module'; const require = bannerRequire(import.meta.url);",
    },
  });
  return outfile;
}

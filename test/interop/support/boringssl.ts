import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '../../support/temporary-folder.ts';

/** Builds the BoringSSL peer of TLS tests. */
export const buildBoringSslPeer = (): BoringSslProgram => buildWithBoringSsl('boringssl-peer');

export type BoringSslProgram = { readonly program: string } | { readonly reason: string };

/**
 * Builds a C program of this folder with BoringSSL, in a temporary folder.
 * @returns the program, or the reason why there is none.
 */
export function buildWithBoringSsl(name: string): BoringSslProgram {
  const library = readdirSync('/usr/lib', { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join('/usr/lib', entry.name, 'android', 'libssl.so'))
    .find((path) => spawnSync('test', ['-e', path]).status === 0);
  if (library === undefined) return { reason: 'android-libboringssl-dev is not installed' };
  const folder = dirname(library);
  const program = join(temporaryFolder(name), name);
  const source = fileURLToPath(new URL(`../${name}.c`, import.meta.url));
  const parameters = ['-O1', '-I/usr/include/android', '-o', program, source, `-L${folder}`, '-lssl', '-lcrypto'];
  const built = spawnSync('gcc', [...parameters, `-Wl,-rpath,${folder}`], { encoding: 'utf8' });
  if (built.error !== undefined) return { reason: 'gcc is not installed' };
  if (built.status !== 0) throw new Error(`${name}.c does not compile:\n${built.stderr}`);
  return { program };
}

import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findInLibraries } from '../../support/needs/find-program.ts';
import { lackOfProgram, type Lack } from '../../support/needs/needs.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

/** Builds the BoringSSL peer of TLS tests. */
export const buildBoringSslPeer = (): BoringSslProgram => buildWithBoringSsl('boringssl-peer');

export type BoringSslProgram = { readonly program: string } | { readonly lack: Lack };

/**
 * Builds a C program of this folder with BoringSSL, in a temporary folder.
 * @returns the program, or what lacks to build it.
 */
export function buildWithBoringSsl(name: string): BoringSslProgram {
  const [library] = findInLibraries('android', 'libssl.so');
  if (library === undefined) {
    return { lack: { reason: 'BoringSSL is not installed', packages: ['android-libboringssl-dev'] } };
  }
  const lack = lackOfProgram(['gcc'], 'gcc');
  if (lack !== undefined) return { lack };
  const folder = dirname(library);
  const program = join(temporaryFolder(name), name);
  const source = fileURLToPath(new URL(`../${name}.c`, import.meta.url));
  const parameters = ['-O1', '-I/usr/include/android', '-o', program, source, `-L${folder}`, '-lssl', '-lcrypto'];
  const built = spawnSync('gcc', [...parameters, `-Wl,-rpath,${folder}`], { encoding: 'utf8' });
  if (built.status !== 0) throw new Error(`${name}.c does not compile:\n${built.stderr}`);
  return { program };
}

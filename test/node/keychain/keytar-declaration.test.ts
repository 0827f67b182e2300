import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { lackOfKeytarPackage } from '../../support/needs/common-needs.ts';
import { needing } from '../../support/needs/needs.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const declaration = fileURLToPath(new URL('../../../src/node/keychain/keytar.d.ts', import.meta.url));
const ours = readFileSync(declaration, 'utf8');

/** What the type checker says against using what `realTypes` declares as what our declaration says. */
function disagreements(our: string, realTypes: string): readonly string[] {
  const folder = temporaryFolder('keytar-types');
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  file('real.d.ts', realTypes);
  const use = `import type * as ours from 'keytar';
import type * as real from './real.d.ts';
export const usable = (given: typeof real): typeof ours => given;
`;
  const names = [file('ours.d.ts', our), file('use.ts', use)];
  const program = ts.createProgram(names, {
    strict: true,
    noEmit: true,
    // Promises are all that it needs, and the rest takes seconds to read.
    lib: ['lib.es2015.d.ts'],
    module: ts.ModuleKind.NodeNext,
    allowImportingTsExtensions: true,
    types: [],
  });
  return ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '));
}

const functions = (types: string): readonly string[] =>
  [...types.matchAll(/export (?:declare )?function (\w+)/g)].map(([, name = '']) => name);

describe('our declaration of keytar', () => {
  it('is held against others: the same types pass, another result or a missing function does not', () => {
    const same = ours.replace("declare module 'keytar' {", '').replace(/\}\s*$/, '');
    expect(disagreements(ours, same)).toEqual([]);
    expect(disagreements(ours, same.replace('Promise<string | null>', 'Promise<string | undefined>'))).not.toEqual([]);
    expect(disagreements(ours, same.replace('findCredentials', 'listCredentials'))).not.toEqual([]);
  });

  it('is true of the package that is installed', needing(lackOfKeytarPackage()), () => {
    const realTypes = createRequire(import.meta.url).resolve('keytar/keytar.d.ts');
    expect(functions(ours)).not.toEqual([]);
    expect(disagreements(ours, readFileSync(realTypes, 'utf8'))).toEqual([]);
  });
});

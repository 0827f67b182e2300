import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../support/temporary-folder.ts';

type Import = readonly [from: string, to: string];

/** Files of its own for each import, so that all can stand in one house. */
function filesOf([from, to]: Import, index: number): { readonly importing: string; readonly imported: string } {
  const numbered = (path: string): string => path.replace(/\.ts$/, `${index}.ts`);
  return { importing: numbered(from), imported: /^(src|electron|renderer)\//.test(to) ? numbered(to) : to };
}

/** Lays a house in which one file imports another for each of these, and asks the layer rules about it. */
function cruise(imports: readonly Import[]): { status: number | null; output: string } {
  const folder = temporaryFolder('layers');
  for (const file of ['.dependency-cruiser.cjs', 'tsconfig.json', 'package.json']) {
    copyFileSync(file, join(folder, file));
  }
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'));
  for (const place of ['src', 'electron', 'renderer']) mkdirSync(join(folder, place));
  const write = (file: string, text: string): void => {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  };
  for (const [index, each] of imports.entries()) {
    const { importing, imported } = filesOf(each, index);
    const isFile = imported !== each[1];
    if (isFile) write(imported, 'export const value = 1;\n');
    const target = isFile ? `${'../'.repeat(importing.split('/').length - 1)}${imported}` : imported;
    write(importing, `import * as other from '${target}';\nexport const used = other;\n`);
  }
  const cruiser = join('node_modules', 'dependency-cruiser', 'bin', 'dependency-cruiser.mjs');
  const parameters = [cruiser, '--config', '.dependency-cruiser.cjs', 'src', 'electron', 'renderer'];
  const run = spawnSync(process.execPath, parameters, { cwd: folder, encoding: 'utf8' });
  return { status: run.status, output: run.stdout + run.stderr };
}

const forbidden: readonly (readonly [...Import, rule: string])[] = [
  ['src/base/a.ts', 'src/crypto/b.ts', 'layer: src/base'],
  ['src/protocol/msrp/a.ts', 'src/engine/b.ts', 'layer: src/protocol'],
  ['src/protocol/msrp/a.ts', 'src/protocol/sdp/b.ts', 'protocol sibling: msrp'],
  ['src/engine/a.ts', 'src/node/b.ts', 'layer: src/engine'],
  ['src/engine/a.ts', 'node:net', 'sans-IO below node'],
  ['src/node/a.ts', 'node:crypto', 'only crypto imports ciphers'],
  ['src/kms/a.ts', 'src/node/b.ts', 'layer: src/kms/(?!http|storage)'],
  ['src/contract/a.ts', 'src/engine/b.ts', 'layer: src/contract'],
  ['renderer/a.ts', 'src/engine/b.ts', 'layer: renderer'],
  ['electron/a.ts', 'src/lab/b.ts', 'layer: electron'],
  ['src/node/a.ts', 'node-forge', 'only crypto imports ciphers'],
  ['src/contract/a.ts', 'saxes', 'contract uses only types and zod'],
  ['src/node/a.ts', 'electron', 'only electron imports electron'],
];

const allowed: readonly Import[] = [
  ['src/engine/a.ts', 'src/protocol/msrp/b.ts'],
  ['src/protocol/mime/a.ts', 'src/protocol/cms/b.ts'],
  ['src/kms/http/a.ts', 'src/node/b.ts'],
  ['renderer/a.ts', 'src/contract/b.ts'],
  ['src/contract/a.ts', 'zod'],
  ['electron/a.ts', 'src/node/b.ts'],
];

describe('what a layer may not import', () => {
  let found: { status: number | null; output: string };
  beforeAll(() => {
    found = cruise(forbidden.map(([from, to]) => [from, to]));
  });

  test.each(forbidden.map((each, index) => [...each, index] as const))(
    '%s may not import %s',
    (from, to, rule, index) => {
      const { importing } = filesOf([from, to], index);
      expect(found.output).toContain(`error ${rule}: ${importing} `);
    },
  );

  test('ends the command as an error', () => {
    expect(found.status).not.toBe(0);
  });
});

test('what a layer may import passes', () => {
  const { status, output } = cruise(allowed);
  expect(output).toContain('no dependency violations found');
  expect(output).toContain(`${allowed.length} dependencies cruised`);
  expect(status).toBe(0);
});

import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, expect, test } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'tessera-layers-'));
afterAll(() => rmSync(folder, { recursive: true }));
for (const file of ['.dependency-cruiser.cjs', 'tsconfig.json', 'package.json']) copyFileSync(file, join(folder, file));
symlinkSync(resolve('node_modules'), join(folder, 'node_modules'));

/** Lays a house of two files, the first importing the second, and asks the layer rule about it. */
function cruise(from: string, to: string): { status: number | null; output: string } {
  for (const place of ['src', 'electron', 'renderer']) {
    rmSync(join(folder, place), { recursive: true, force: true });
    mkdirSync(join(folder, place));
  }
  const isFile = /^(src|electron|renderer)\//.test(to);
  const write = (file: string, text: string): void => {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  };
  if (isFile) write(to, 'export const value = 1;\n');
  const target = isFile ? `${'../'.repeat(from.split('/').length - 1)}${to}` : to;
  write(from, `import * as other from '${target}';\nexport const used = other;\n`);
  const cruiser = join('node_modules', 'dependency-cruiser', 'bin', 'dependency-cruiser.mjs');
  const run = spawnSync(
    process.execPath,
    [cruiser, '--config', '.dependency-cruiser.cjs', 'src', 'electron', 'renderer'],
    {
      cwd: folder,
      encoding: 'utf8',
    },
  );
  return { status: run.status, output: run.stdout + run.stderr };
}

test.each([
  ['src/base/a.ts', 'src/crypto/b.ts', 'layer: src/base'],
  ['src/protocol/msrp/a.ts', 'src/engine/b.ts', 'layer: src/protocol'],
  ['src/protocol/msrp/a.ts', 'src/protocol/sdp/b.ts', 'protocol sibling: msrp'],
  ['src/engine/a.ts', 'src/node/b.ts', 'layer: src/engine'],
  ['src/engine/a.ts', 'node:net', 'sans-IO below node'],
  ['src/node/a.ts', 'node:crypto', 'only crypto imports ciphers'],
  ['src/kms/a.ts', 'src/node/b.ts', 'layer: src/kms'],
  ['src/contract/a.ts', 'src/engine/b.ts', 'layer: src/contract'],
  ['renderer/a.ts', 'src/engine/b.ts', 'layer: renderer'],
  ['electron/a.ts', 'src/lab/b.ts', 'layer: electron'],
  ['src/node/a.ts', 'node-forge', 'only crypto imports ciphers'],
  ['src/contract/a.ts', 'saxes', 'contract uses only types and zod'],
  ['src/node/a.ts', 'electron', 'only electron imports electron'],
])('%s may not import %s', (from, to, rule) => {
  const { status, output } = cruise(from, to);
  expect(output).toContain(rule);
  expect(status).not.toBe(0);
});

test.each([
  ['src/engine/a.ts', 'src/protocol/msrp/b.ts'],
  ['src/protocol/mime/a.ts', 'src/protocol/cms/b.ts'],
  ['src/kms/http/a.ts', 'src/node/b.ts'],
  ['renderer/a.ts', 'src/contract/b.ts'],
  ['src/contract/a.ts', 'zod'],
  ['electron/a.ts', 'src/node/b.ts'],
])('%s may import %s', (from, to) => {
  expect(cruise(from, to)).toMatchObject({ status: 0 });
});

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { findElectronBinary } from '../../src/cli/electron-binary.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'electron-'));
  mkdirSync(join(folder, 'package', 'dist'), { recursive: true });
  mkdirSync(join(folder, 'other'));
});

afterEach(() => rmSync(folder, { recursive: true }));

const find = (overrideDir?: string) =>
  findElectronBinary({ packageDir: join(folder, 'package'), overrideDir, platform: 'linux' });

it('finds nothing where the package has no binary yet', () => {
  expect(find()).toBeUndefined();
  writeFileSync(join(folder, 'package', 'path.txt'), 'electron');
  expect(find()).toBeUndefined();
});

it('finds the binary of the package', () => {
  writeFileSync(join(folder, 'package', 'dist', 'electron'), '');
  expect(find()).toBe(join(folder, 'package', 'dist', 'electron'));
});

it('prefers the build that the environment names, even when it is not there', () => {
  writeFileSync(join(folder, 'package', 'dist', 'electron'), '');
  expect(find(join(folder, 'other'))).toBeUndefined();
  writeFileSync(join(folder, 'other', 'electron'), '');
  expect(find(join(folder, 'other'))).toBe(join(folder, 'other', 'electron'));
});

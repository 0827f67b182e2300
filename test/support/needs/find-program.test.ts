import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { temporaryFolder } from '../temporary-folder.ts';
import { findInLibraries, findProgram } from './find-program.ts';
import { lackInWords, lackOfProgram } from './needs.ts';

const folder = temporaryFolder('programs');

function put(path: string, mode: number): string {
  const whole = join(folder, path);
  mkdirSync(dirname(whole), { recursive: true });
  writeFileSync(whole, '');
  chmodSync(whole, mode);
  return whole;
}

afterEach(() => vi.unstubAllEnvs());

describe('a program', () => {
  it('is found where the PATH leads, and nowhere else', () => {
    const first = put('one/bin/peer', 0o755);
    const server = put('one/sbin/server', 0o755);
    const module = put('one/lib/some-architecture/peer/module.so', 0o644);
    put('one/bin/data', 0o644);
    vi.stubEnv('PATH', join(folder, 'one/bin'));
    expect(findProgram('absent', 'peer')).toBe(first);
    expect(findProgram('server')).toBe(server);
    expect(findProgram('data')).toBeUndefined();
    expect(findInLibraries('peer', 'module.so')).toEqual([module]);

    vi.stubEnv('PATH', join(folder, 'two/bin'));
    expect(findProgram('peer')).toBeUndefined();
    expect(findInLibraries('peer', 'module.so')).toEqual([]);
  });

  it('that is absent is named, with the package that brings it', () => {
    vi.stubEnv('PATH', join(folder, 'two/bin'));
    const lack = lackOfProgram(['peer-tools'], 'peer');
    expect(lack && lackInWords(lack)).toBe('peer is not installed (Debian: peer-tools)');
    vi.stubEnv('PATH', join(folder, 'one/bin'));
    expect(lackOfProgram(['peer-tools'], 'peer')).toBeUndefined();
  });
});

import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createSimStateFiles } from '../../src/node/sim-state.ts';
import { emptySequenceWindow } from '../../src/protocol/gba/index.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { needing } from '../support/needs/needs.ts';

const name = '0123456789abcdef';
const window = emptySequenceWindow.map((_, index) => index * 2 ** 38);

describe('files of sequence numbers', () => {
  it('hold what was saved, for whoever opens them next', () => {
    const directory = join(temporaryFolder('sim'), 'state');
    expect(createSimStateFiles(directory).load(name)).toBeUndefined();
    createSimStateFiles(directory).save(name, window);
    expect(createSimStateFiles(directory).load(name)).toEqual(window);
    expect(createSimStateFiles(directory).load('fedcba9876543210')).toBeUndefined();
    expect(readdirSync(directory)).toEqual([`sim-${name}.json`]);
  });

  const lackOfModes =
    process.platform === 'win32' ? { reason: 'files of Windows have no such modes', packages: [] } : undefined;

  it('are for their owner only', needing(lackOfModes), () => {
    const directory = join(temporaryFolder('sim'), 'state');
    createSimStateFiles(directory).save(name, window);
    expect(statSync(directory).mode & 0o077).toBe(0);
    expect(statSync(join(directory, `sim-${name}.json`)).mode & 0o077).toBe(0);
  });

  it('never go back', () => {
    const directory = temporaryFolder('sim');
    const state = createSimStateFiles(directory);
    state.save(name, window);
    state.save(name, emptySequenceWindow.with(0, 5));
    expect(state.load(name)).toEqual(window.with(0, 5));
  });

  it.each(['', '{', 'null', '[]', '{"version":2,"window":[]}', '{"version":1}', '{"version":1,"window":[1]}'])(
    'are not taken for new ones when they hold %j',
    (text) => {
      const directory = temporaryFolder('sim');
      const state = createSimStateFiles(directory);
      writeFileSync(join(directory, `sim-${name}.json`), text);
      expect(() => state.load(name)).toThrow(expect.objectContaining({ kind: 'malformed' }));
      expect(() => state.save(name, window)).toThrow(expect.objectContaining({ kind: 'malformed' }));
      expect(readFileSync(join(directory, `sim-${name}.json`), 'utf8')).toBe(text);
    },
  );

  it('fail where there can be no directory', () => {
    const file = join(temporaryFolder('sim'), 'file');
    writeFileSync(file, '');
    expect(() => createSimStateFiles(file).load(name)).toThrow();
    expect(() => createSimStateFiles(file).save(name, window)).toThrow();
  });

  it('take no name that leads elsewhere', () => {
    const state = createSimStateFiles(temporaryFolder('sim'));
    expect(() => state.load('../../etc/passwd')).toThrow(RangeError);
    expect(() => state.save('', window)).toThrow(RangeError);
  });
});

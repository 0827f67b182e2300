import { chmod, lstat, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { toHex } from '../../src/base/bytes.ts';
import { secureRandom } from '../../src/crypto/random.ts';
import { loadTpkFile, rotateTpks } from '../../src/kms/storage/tpk-file.ts';
import { createTpkRing } from '../../src/kms/tpk-ring.ts';

const rotation = { renewAfterSeconds: 100, keepSeconds: 50 };
const ids = (entries: readonly { readonly id: Uint8Array }[]) => entries.map(({ id }) => toHex(id));

describe('ticket protection keys', () => {
  it('are renewed when old, and kept until their last ticket has ended', () => {
    const first = rotateTpks([], rotation, secureRandom, 0);
    expect(first).toHaveLength(1);
    expect(rotateTpks(first, rotation, secureRandom, 99_000)).toEqual(first);
    const second = rotateTpks(first, rotation, secureRandom, 100_000);
    expect(second).toHaveLength(2);
    const ring = createTpkRing(second);
    expect(toHex(ring.current.id.data)).toBe(ids(second)[1]);
    expect(ring.find({ type: 'bytes', data: second[0]!.id })).toBe(second[0]!.key);
    expect(ring.find(undefined)).toBeUndefined();
    expect(ids(rotateTpks(second, rotation, secureRandom, 150_000))).toEqual(ids(second));
    expect(ids(rotateTpks(second, rotation, secureRandom, 151_000))).toEqual(ids(second).slice(1));
  });
});

describe('the file of ticket protection keys', () => {
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tessera-tpk-'));
  });
  afterEach(() => rm(folder, { recursive: true }));
  const load = (now: number) => loadTpkFile(join(folder, 'tpk.json'), rotation, secureRandom, now);

  it('gives the same keys after a restart, and only its owner can read it', async () => {
    const made = await load(0);
    const again = await load(1000);
    expect(ids(again)).toEqual(ids(made));
    expect(again[0]!.key.use(toHex)).toBe(made[0]!.key.use(toHex));
    expect((await stat(join(folder, 'tpk.json'))).mode & 0o777).toBe(0o600);
    expect(ids(await load(100_000))).toHaveLength(2);
    expect(await readFile(join(folder, 'tpk.json'), 'utf8')).toContain('createdAt');
  });

  it('is refused when others can read it or when it is something else', async () => {
    await load(0);
    await chmod(join(folder, 'tpk.json'), 0o644);
    await expect(load(0)).rejects.toMatchObject({
      field: 'kms.tpkFile',
      message: expect.stringContaining('0600') as string,
    });
    await writeFile(join(folder, 'tpk.json'), '{"keys": [{"id": "zz"}]}');
    await chmod(join(folder, 'tpk.json'), 0o600);
    await expect(load(0)).rejects.toMatchObject({ name: 'ProtocolError', field: 'kms.tpkFile' });
  });

  it.skipIf(process.platform === 'win32')('is not written through what somebody else laid beside it', async () => {
    const elsewhere = join(folder, 'elsewhere');
    await writeFile(elsewhere, 'untouched', { mode: 0o666 });
    await symlink(elsewhere, join(folder, 'tpk.json.new'));
    await load(0);
    expect(await readFile(elsewhere, 'utf8')).toBe('untouched');
    expect((await lstat(join(folder, 'tpk.json'))).isFile()).toBe(true);
    expect((await stat(join(folder, 'tpk.json'))).mode & 0o777).toBe(0o600);
  });
});

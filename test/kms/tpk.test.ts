import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { toHex } from '../../src/base/bytes.ts';
import { SecretBytes } from '../../src/base/secret-bytes.ts';
import { KeyEncryptionKey } from '../../src/kms/key-encryption-key.ts';
import { createMemoryStorage } from '../../src/kms/memory-storage.ts';
import type { KmsStorage, StoredTpk } from '../../src/kms/ports.ts';
import { readTpkFile } from '../../src/kms/storage/tpk-file.ts';
import {
  announceTpk,
  createTpk,
  createTpkRing,
  describeTpks,
  importTpks,
  StoredTpkRing,
  type TpkRotation,
} from '../../src/kms/tpk-ring.ts';
import { bytesIdentity } from '../../src/protocol/mikey/index.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const random = seededRandom('tpk');
const rotation: TpkRotation = { renewAfterSeconds: 1000, keepSeconds: 500, announceSeconds: 60, refreshSeconds: 10 };
/** `keepSeconds` and the margin for clocks. */
const kept = 500_000 + 300_000;
const newKek = () => new KeyEncryptionKey(new SecretBytes(random.bytes(32)), random);

/** Replicas on one storage and one clock. */
function replicas(count: number, storage: KmsStorage = createMemoryStorage()) {
  const kek = newKek();
  const clock = { now: 0 };
  const rotated: StoredTpk[] = [];
  const rings = Array.from(
    { length: count },
    () =>
      new StoredTpkRing({
        storage,
        kek,
        rotation,
        random,
        now: () => clock.now,
        onRotated: (tpk) => Promise.resolve(void rotated.push(tpk)),
      }),
  );
  const keepUp = async (now: number) => {
    clock.now = now;
    await Promise.all(rings.map((ring) => ring.keepUp()));
  };
  return { storage, kek, clock, rings, rotated, keepUp };
}

const current = (ring: StoredTpkRing) => toHex(ring.current.id.data);

describe('ticket protection keys', () => {
  it('are one for all replicas that start together, and used at once', async () => {
    const { rings, rotated, keepUp } = replicas(3);
    await keepUp(0);
    expect(rotated).toHaveLength(1);
    expect(new Set(rings.map(current)).size).toBe(1);
    expect(rings[0]!.current.key.use(toHex)).toBe(rings[1]!.current.key.use(toHex));
  });

  it('get a successor that every replica knows before one uses it, and stay until their last ticket has ended', async () => {
    const { storage, rings, rotated, keepUp } = replicas(2);
    const [one, two] = rings as [StoredTpkRing, StoredTpkRing];
    await keepUp(0);
    const first = current(one);
    await keepUp(999_000);
    expect(rotated).toHaveLength(1);
    await keepUp(1_010_000);
    expect(rotated).toHaveLength(2);
    const second = toHex(rotated[1]!.id);
    expect([current(one), current(two)]).toEqual([first, first]);
    for (const ring of rings) expect(ring.find(bytesIdentity(rotated[1]!.id))).toBeDefined();
    await keepUp(1_069_000);
    expect([current(one), current(two)]).toEqual([first, first]);
    await keepUp(1_070_000);
    expect([current(one), current(two)]).toEqual([second, second]);
    const old = bytesIdentity(rotated[0]!.id);
    await keepUp(1_070_000 + kept);
    expect(one.find(old)).toBeDefined();
    await keepUp(1_070_000 + kept + 11_000);
    expect(one.find(old)).toBeUndefined();
    expect((await storage.tpks.list()).map(({ id }) => toHex(id))).toContain(second);
    expect((await storage.tpks.list()).map(({ id }) => toHex(id))).not.toContain(first);
  });

  it('that another replica announced are learnt within the time that a ring may be old', async () => {
    const { storage, kek, rings, keepUp } = replicas(1);
    await keepUp(0);
    const added = await announceTpk(storage, kek, createTpk(random, 1000), 60);
    await keepUp(9000);
    expect(rings[0]!.find(bytesIdentity(added!.id))).toBeUndefined();
    await keepUp(10_000);
    expect(rings[0]!.find(bytesIdentity(added!.id))).toBeDefined();
    // A clock that was set back does not stop the learning.
    const next = await announceTpk(storage, kek, createTpk(random, 2000), 60);
    await keepUp(5000);
    expect(rings[0]!.find(bytesIdentity(next!.id))).toBeDefined();
  });

  it('are found by nothing but their name', async () => {
    const { rings, keepUp } = replicas(1);
    expect(() => rings[0]!.current).toThrow(/no ticket protection key/);
    await keepUp(0);
    const { id } = rings[0]!.current;
    expect(rings[0]!.find(undefined)).toBeUndefined();
    expect(rings[0]!.find({ ...id, type: 'nai' })).toBeUndefined();
    expect(rings[0]!.find(id)).toBe(rings[0]!.current.key);
  });

  it('that do not open are a fault of the storage, and the ring learns again when it is mended', async () => {
    const { storage, kek, rings, keepUp } = replicas(1);
    await storage.tpks.add(
      { id: Uint8Array.of(1), wrappedKey: Uint8Array.of(1), createdAt: 0, activeFrom: 0 },
      undefined,
    );
    await expect(keepUp(0)).rejects.toMatchObject({ name: 'KmsStorageError' });
    await storage.tpks.remove([Uint8Array.of(1)]);
    await announceTpk(storage, kek, createTpk(random, 0), 60);
    await keepUp(0);
    expect(current(rings[0]!)).toHaveLength(16);
  });

  it('stop a replica whose key-encryption key was changed under it', async () => {
    const { storage, kek, keepUp } = replicas(1);
    await kek.checkAgainst(storage);
    await keepUp(0);
    const next = newKek();
    await storage.rewrap({ keyCheck: next.makeCheck(), user: () => new Uint8Array(), tpk: (tpk) => tpk.wrappedKey });
    await expect(keepUp(2_000_000)).rejects.toMatchObject({ name: 'KmsStorageError' });
    expect(await storage.tpks.list()).toHaveLength(1);
  });

  it('are never left wrapped under a key-encryption key that was changed while they were made', async () => {
    const { storage, kek, keyCheck, tpks } = { ...replicas(0), ...createMemoryStorage() };
    await kek.checkAgainst({ keyCheck });
    expect(await announceTpk({ keyCheck, tpks }, kek, createTpk(random, 0), 60)).toBeDefined();
    const next = newKek();
    const changing = {
      keyCheck: { ...keyCheck, get: () => Promise.resolve(next.makeCheck()) },
      tpks,
    };
    await expect(announceTpk(changing, kek, createTpk(random, 1000), 60)).rejects.toThrow(/does not open under it/);
    expect(await tpks.list()).toHaveLength(1);
    await storage.close();
  });

  it('come after all others, also when the clock of whoever makes one is behind', async () => {
    const { storage, kek, rings, keepUp } = replicas(1);
    await announceTpk(storage, kek, createTpk(random, 500_000), 60);
    const added = await announceTpk(storage, kek, createTpk(random, 400_000), 60);
    expect((await storage.tpks.list()).map(({ id }) => toHex(id)).at(-1)).toBe(toHex(added!.id));
    await keepUp(600_000);
    expect(current(rings[0]!)).toBe(toHex(added!.id));
  });

  it('of an earlier version are taken over once, and open again', async () => {
    const { storage, kek, rings, keepUp } = replicas(1);
    const entries = [createTpk(random, 1000), createTpk(random, 2000)];
    expect(await importTpks(storage, kek, entries)).toBe(2);
    expect(await importTpks(storage, kek, entries)).toBe(0);
    await keepUp(3000);
    expect(current(rings[0]!)).toBe(toHex(entries[1]!.id));
    const opened = rings[0]!.find(bytesIdentity(entries[0]!.id));
    expect(opened?.use(toHex)).toBe(entries[0]!.key.use(toHex));
  });

  it('are described without their octets', () => {
    const tpk = (id: number, createdAt: number, activeFrom: number): StoredTpk => ({
      id: Uint8Array.of(id),
      wrappedKey: new Uint8Array(),
      createdAt,
      activeFrom,
    });
    const tpks = [tpk(1, 0, 0), tpk(2, 1000, 2000), tpk(3, 3000, 4000)];
    expect(describeTpks(tpks, 500, 3500)).toEqual([
      { id: Uint8Array.of(1), createdAt: 0, activeFrom: 0, state: 'old', dropAfter: 2000 + kept },
      { id: Uint8Array.of(2), createdAt: 1000, activeFrom: 2000, state: 'current', dropAfter: 4000 + kept },
      { id: Uint8Array.of(3), createdAt: 3000, activeFrom: 4000, state: 'announced', dropAfter: undefined },
    ]);
    expect(describeTpks([tpk(1, 0, 9000)], 500, 0)[0]?.state).toBe('current');
    expect(describeTpks([], 500, 0)).toEqual([]);
  });

  it('make no ring when there is none', () => {
    expect(() => createTpkRing([])).toThrow(/expected a key/);
    const entry = createTpk(random, 0);
    const ring = createTpkRing([entry]);
    expect(ring.find(undefined)).toBeUndefined();
    expect(ring.find(ring.current.id)).toBe(entry.key);
  });
});

describe('the file of ticket protection keys of an earlier version', () => {
  const folder = temporaryFolder('tpk');
  const id = '0011223344556677';
  const key = 'ab'.repeat(32);
  const entry = { id, key, createdAt: '2026-01-01T00:00:00.000Z' };
  const newer = { ...entry, id: '01', createdAt: '2026-02-01T00:00:00.000Z' };

  async function file(name: string, content: string, mode = 0o600): Promise<string> {
    const path = join(folder, name);
    await writeFile(path, content);
    await chmod(path, mode);
    return path;
  }

  it('gives its keys, oldest first, or none when there is no file', async () => {
    const read = await readTpkFile(await file('tpk.json', JSON.stringify({ keys: [newer, entry] })));
    expect(read.map((one) => toHex(one.id))).toEqual([id, '01']);
    expect(read[0]!.key.use(toHex)).toBe(key);
    expect(read[0]!.createdAt).toBe(Date.UTC(2026, 0, 1));
    expect(await readTpkFile(join(folder, 'none.json'))).toEqual([]);
  });

  it.each([
    ['when others can read it', JSON.stringify({ keys: [entry] }), 0o644, 'mode 0600'],
    ['when it is something else', '{"keys": [{"id": "zz"}]}', 0o600, 'the file as the KMS wrote it'],
    ['when it is no JSON', 'keys', 0o600, 'the file as the KMS wrote it'],
  ])('is refused %s', async (name, content, mode, expected) => {
    const path = await file(`${name}.json`, content, mode);
    await expect(readTpkFile(path)).rejects.toMatchObject({ field: 'kms.tpkFile', expected });
  });

  it('is not taken for absent when it cannot be read', async () => {
    await expect(readTpkFile(join(await file('f', ''), 'below'))).rejects.toMatchObject({ code: 'ENOTDIR' });
  });
});

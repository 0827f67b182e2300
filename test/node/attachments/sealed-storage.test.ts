import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { beforeEach, describe, expect, test } from 'vitest';
import { concatBytes, toHex, utf8 } from '../../../src/base/bytes.ts';
import { SecretBytes } from '../../../src/base/secret-bytes.ts';
import { sha256 } from '../../../src/crypto/digest.ts';
import { secureRandom } from '../../../src/crypto/random.ts';
import type { FileTargetOptions } from '../../../src/engine/files/file-storage.ts';
import { createSealedStorage, type SealedStorage } from '../../../src/node/attachments/index.ts';
import {
  headerOctets,
  plainOctets,
  sealedSegmentOctets,
  segmentOctets,
} from '../../../src/node/attachments/sealed-format.ts';
import { hashOf } from '../../../src/node/files/file-source.ts';
import { partialFolder, partialPaths } from '../../../src/node/files/transfer-notes.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { contentOf, note } from './support/content.ts';

const keyOctets = Uint8Array.from({ length: 32 }, (_, n) => n);
const key = new SecretBytes(keyOctets);
let folder: string;
let storage: SealedStorage;

beforeEach(() => {
  folder = temporaryFolder('sealed');
  storage = createSealedStorage(folder, key);
});

function options(content: Uint8Array, more: Partial<FileTargetOptions> = {}): FileTargetOptions {
  const hashes = [hashOf('sha-256', sha256(content))];
  return {
    key: 'k',
    continues: false,
    name: '../Rechnung für Bob.pdf',
    type: 'application/pdf',
    size: content.length,
    maxOctets: 1e9,
    hashes,
    ...more,
  };
}

async function receive(content: Uint8Array, more: Partial<FileTargetOptions> = {}): Promise<string> {
  const target = await storage.openTarget(options(content, more));
  for (let at = target.present; at < content.length; at += 70_000)
    await target.write(at, content.subarray(at, at + 70_000));
  const { path, ...facts } = await target.finish();
  expect(facts).toEqual({ hashChecked: true, isSealed: true });
  return path;
}

async function read(path: string, start = 0, from: SealedStorage = storage): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of (await from.openSource(path)).read(start)) pieces.push(piece);
  return concatBytes(...pieces);
}

describe('a received file', () => {
  test.each([0, 1, segmentOctets - 1, segmentOctets, segmentOctets + 1, 3 * segmentOctets, 300_000])(
    'of %i octets is read as it came, from any place, and is nowhere in the clear',
    async (size) => {
      const content = contentOf(size);
      const path = await receive(content);
      const source = await storage.openSource(path);
      expect(source).toMatchObject({ name: '../Rechnung für Bob.pdf', type: 'application/pdf', size });
      expect(await source.hashes()).toContainEqual(hashOf('sha-256', sha256(content)));
      for (const start of [0, 1, segmentOctets, size - 1].filter((at) => at >= 0 && at <= size)) {
        expect(toHex(sha256(await read(path, start)))).toBe(toHex(sha256(content.subarray(start))));
      }
      const octets = readFileSync(path);
      expect(path).toMatch(/\/[0-9a-f]{32}\.sealed$/);
      expect(octets.includes('Rechnung')).toBe(false);
      if (size > 40) expect(octets.includes(Buffer.from(content.subarray(0, 32)))).toBe(false);
      expect(readdirSync(join(folder, partialFolder))).toEqual([]);
    },
  );

  test('is copied out by an act of the user only, whole or not at all, and replaces nothing', async () => {
    const content = contentOf(200_000);
    const path = await receive(content);
    const copy = join(folder, 'copy.pdf');
    await storage.saveCopy(path, copy);
    expect(readFileSync(copy).equals(content)).toBe(true);
    await expect(storage.saveCopy(path, copy)).rejects.toMatchObject({ code: 'EEXIST' });
    change(
      path,
      (octets) => void octets.fill(0, headerOctets + sealedSegmentOctets, headerOctets + sealedSegmentOctets + 1),
    );
    await expect(storage.saveCopy(path, join(folder, 'other.pdf'))).rejects.toMatchObject({
      field: 'attachment.segment',
    });
    expect(readdirSync(folder).filter((name) => name.startsWith('other'))).toEqual([]);
  });

  test('goes for good: its key is overwritten before the file is removed; nothing else is', async () => {
    const path = await receive(contentOf(10));
    const plain = join(folder, 'mine.sealed');
    writeFileSync(plain, 'x'.repeat(5000));
    await expect(storage.remove(plain)).rejects.toMatchObject({ field: 'attachment.header' });
    expect(readFileSync(plain, 'utf8')).toBe('x'.repeat(5000));
    const whole = readFileSync(path);
    await storage.remove(path);
    expect(readdirSync(folder)).not.toContain(path.slice(folder.length + 1));
    await expect(storage.openSource(path)).rejects.toMatchObject({ field: 'file.path' });
    writeFileSync(path, whole);
    expect(await read(path)).toHaveLength(10);
  });

  test('that is not what was announced leaves nothing', async () => {
    const content = contentOf(100_000);
    const target = await storage.openTarget(options(contentOf(100_000).fill(1)));
    await target.write(0, content);
    await expect(target.finish()).rejects.toMatchObject({ field: 'file.hash' });
    const long = await storage.openTarget(options(content));
    expect(() => long.write(0, contentOf(100_001))).toThrow(/longer than announced/);
    expect(() => long.write(5, content)).toThrow(/in order/);
    await long.discard();
    expect(readdirSync(join(folder, partialFolder))).toEqual([]);
    expect(readdirSync(folder)).toEqual([partialFolder]);
  });

  test('ordinary files are sent as before', async () => {
    const path = join(folder, 'plain.txt');
    writeFileSync(path, 'hello');
    expect(await storage.openSource(path)).toMatchObject({ name: 'plain.txt', type: 'text/plain', size: 5 });
  });
});

function change(path: string, by: (octets: Buffer) => Uint8Array | undefined): void {
  const octets = readFileSync(path);
  writeFileSync(path, by(octets) ?? octets);
}

const segmentAt = (index: number): number => headerOctets + index * sealedSegmentOctets;
const segment = (octets: Uint8Array, index: number): Uint8Array =>
  octets.subarray(segmentAt(index), segmentAt(index + 1));

describe('attacks on the file are noticed', () => {
  const content = contentOf(4 * segmentOctets + 100);

  test.each<readonly [string, (octets: Buffer) => Uint8Array | undefined, RegExp]>([
    [
      'an octet of a segment',
      (octets) => void octets.writeUInt8(octets[segmentAt(1) + 500]! ^ 1, segmentAt(1) + 500),
      /segment 1/,
    ],
    ['an octet of a nonce', (octets) => void octets.writeUInt8(octets[segmentAt(2)]! ^ 1, segmentAt(2)), /segment 2/],
    [
      'an octet of the last tag',
      (octets) => void octets.writeUInt8(octets.at(-1)! ^ 1, octets.length - 1),
      /segment 4/,
    ],
    ['the last octet cut off', (octets) => octets.subarray(0, -1), /segment 4/],
    ['the last segment cut off', (octets) => octets.subarray(0, segmentAt(4)), /segment 3/],
    ['everything but the first segment cut off', (octets) => octets.subarray(0, segmentAt(1)), /segment 0/],
    ['every segment cut off', (octets) => octets.subarray(0, segmentAt(0)), /segment 0/],
    ['octets after the end', (octets) => concatBytes(octets, Uint8Array.of(1)), /segment 4/],
    [
      'a segment repeated at the end',
      (octets) => concatBytes(octets.subarray(0, segmentAt(4)), segment(octets, 3)),
      /segment 4/,
    ],
    [
      'two segments exchanged',
      (octets) =>
        concatBytes(
          octets.subarray(0, segmentAt(1)),
          segment(octets, 2),
          segment(octets, 1),
          octets.subarray(segmentAt(3)),
        ),
      /segment 1/,
    ],
    [
      'a segment left out',
      (octets) => concatBytes(octets.subarray(0, segmentAt(1)), octets.subarray(segmentAt(2))),
      /segment 1/,
    ],
  ])('%s', async (_, attack, expected) => {
    const path = await receive(content);
    change(path, attack);
    await expect(read(path)).rejects.toMatchObject({
      field: 'attachment.segment',
      message: expect.stringMatching(expected) as string,
    });
  });

  test.each<readonly [string, (octets: Buffer) => Uint8Array | undefined]>([
    ['the mark', (octets) => void octets.writeUInt8(0, 0)],
    ['the id', (octets) => void octets.writeUInt8(octets[10]! ^ 1, 10)],
    ['the wrapped key', (octets) => void octets.writeUInt8(octets[50]! ^ 1, 50)],
    ['the name and type', (octets) => void octets.writeUInt8(octets[3000]! ^ 1, 3000)],
    ['a header cut short', (octets) => octets.subarray(0, 3000)],
    ['nothing', () => new Uint8Array()],
  ])('%s of the header', async (_, attack) => {
    const path = await receive(content);
    change(path, attack);
    await expect(storage.openSource(path)).rejects.toMatchObject({ kind: 'peer-misbehaved' });
  });

  test('a segment or the header of another file, another key', async () => {
    const one = readFileSync(await receive(content));
    const path = await receive(content, { key: 'other' });
    const other = readFileSync(path);
    writeFileSync(path, concatBytes(other.subarray(0, segmentAt(1)), segment(one, 1), other.subarray(segmentAt(2))));
    await expect(read(path)).rejects.toMatchObject({ field: 'attachment.segment' });
    writeFileSync(path, concatBytes(one.subarray(0, headerOctets), other.subarray(headerOctets)));
    await expect(read(path)).rejects.toMatchObject({ field: 'attachment.segment' });
    writeFileSync(path, one);
    expect(await read(path)).toHaveLength(content.length);
    const stranger = createSealedStorage(folder, new SecretBytes(secureRandom.bytes(32)));
    await expect(stranger.openSource(path)).rejects.toMatchObject({ kind: 'peer-misbehaved' });
  });
});

describe('an interrupted file', () => {
  const content = contentOf(1_000_000);

  async function begin(octets: number): Promise<void> {
    const target = await storage.openTarget(options(content));
    await target.keepNote(note);
    await target.write(0, content.subarray(0, octets));
    await target.suspend();
  }

  test('goes on at the last whole segment, and its note tells nobody anything', async () => {
    await begin(5 * segmentOctets + 10);
    expect(await storage.kept('sip:alice@lab.test')).toEqual([{ note, present: 5 * segmentOctets }]);
    expect(await storage.kept('sip:carol@lab.test')).toEqual([]);
    for (const name of readdirSync(join(folder, partialFolder))) {
      expect(readFileSync(join(folder, partialFolder, name)).includes('bob@lab.test')).toBe(false);
    }
    const stranger = createSealedStorage(folder, new SecretBytes(secureRandom.bytes(32)));
    expect(await stranger.kept('sip:alice@lab.test')).toEqual([]);
    const target = await storage.openTarget(options(content, { continues: true }));
    expect(target.present).toBe(5 * segmentOctets);
    await target.suspend();
    expect(await read(await receive(content, { continues: true }))).toHaveLength(content.length);
  });

  test('a torn or changed segment, and what follows it, counts for nothing', async () => {
    await begin(6 * segmentOctets);
    const { part } = partialPaths(folder, 'k');
    change(part, (octets) => octets.subarray(0, -5));
    const torn = await storage.openTarget(options(content, { continues: true }));
    // The sixth waits for an octet more, as it could be the last.
    expect(torn.present).toBe(4 * segmentOctets);
    await torn.suspend();
    change(part, (octets) => void octets.writeUInt8(octets[segmentAt(2) + 9]! ^ 1, segmentAt(2) + 9));
    const path = await receive(content, { continues: true });
    expect(toHex(sha256(await read(path)))).toBe(toHex(sha256(content)));
  });

  test('a part of another key or form begins anew; one that is not to go on too', async () => {
    await begin(3 * segmentOctets);
    const fresh = await storage.openTarget(options(content));
    expect(fresh.present).toBe(0);
    await fresh.suspend();
    writeFileSync(partialPaths(folder, 'k').part, 'plain octets of another storage');
    const target = await storage.openTarget(options(content, { continues: true }));
    expect(target.present).toBe(0);
    await target.suspend();
  });

  test('of which all is there still fetches an octet', async () => {
    const whole = contentOf(2 * segmentOctets);
    const target = await storage.openTarget(options(whole));
    await target.write(0, whole);
    await target.suspend();
    const again = await storage.openTarget(options(whole, { continues: true }));
    expect(again.present).toBe(segmentOctets);
    await again.discard();
  });

  test('discarding leaves nothing', async () => {
    await begin(3 * segmentOctets);
    await storage.discard('k');
    expect(readdirSync(join(folder, partialFolder))).toEqual([]);
    await storage.discard('k');
  });

  test('survives kill -9: what was said to be there is there', { timeout: 60_000 }, async () => {
    const script = new URL('./support/receive-until-killed.ts', import.meta.url).pathname;
    const child = spawn(process.execPath, [script, folder, toHex(keyOctets), `${content.length}`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = new Promise((resolve) => child.once('exit', resolve));
    let said = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      said = Number(line);
      if (said >= 4 * segmentOctets) child.kill('SIGKILL');
    }
    await exited;
    expect(child.signalCode).toBe('SIGKILL');
    expect(said).toBeGreaterThanOrEqual(4 * segmentOctets);
    expect((await storage.kept(note.account))[0]?.present).toBeGreaterThanOrEqual(said);
    const target = await storage.openTarget(options(content, { continues: true }));
    expect(target.present).toBeGreaterThanOrEqual(said);
    expect(target.present % segmentOctets).toBe(0);
    await target.suspend();
    const path = await receive(content, { continues: true });
    expect(toHex(sha256(await read(path)))).toBe(toHex(sha256(content)));
  });
});

test('the size on the disk tells the size of the file', () => {
  for (const size of [0, 1, segmentOctets, segmentOctets + 1, 5_000_000]) {
    const segments = Math.max(1, Math.ceil(size / segmentOctets));
    expect(plainOctets(headerOctets + size + segments * 28)).toBe(size);
  }
  expect(plainOctets(10)).toBe(0);
  expect(utf8('TSRSEAL1')).toHaveLength(8);
});

import { mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile, appendFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { concatBytes } from '../../../src/base/bytes.ts';
import type { FileHash } from '../../../src/protocol/sdp/index.ts';
import type {
  FileStorage,
  FileTarget,
  FileTargetOptions,
  TransferNote,
} from '../../../src/engine/files/file-storage.ts';
import { createFileStorage } from '../../../src/node/files/file-storage.ts';
import { keptMilliseconds, partialFolder } from '../../../src/node/files/transfer-notes.ts';
import { numberedFileName, safeFileName } from '../../../src/node/files/safe-name.ts';

let folder: string;
let storage: FileStorage;
const content = Uint8Array.from({ length: 700_001 }, (_, index) => (index * 7) & 0xff);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tessera-files-'));
  storage = createFileStorage(join(folder, 'received'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function source(bytes: Uint8Array<ArrayBuffer> = content, name = 'picture.png') {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return storage.openSource(path);
}

async function hashesOf(bytes: Uint8Array<ArrayBuffer>): Promise<readonly FileHash[]> {
  return (await source(bytes, 'hashed')).hashes();
}

async function visible(): Promise<string[]> {
  return (await readdir(join(folder, 'received'))).filter((name) => name !== partialFolder);
}

function openTarget(
  options: Omit<FileTargetOptions, 'continues' | 'maxOctets'> & Partial<FileTargetOptions>,
  into = storage,
): Promise<FileTarget> {
  return into.openTarget({ continues: true, maxOctets: 1_000_000, ...options });
}

const partials = (): Promise<string[]> => readdir(join(folder, 'received', partialFolder));

async function whole(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream) pieces.push(piece);
  return concatBytes(...pieces);
}

describe('a file to send', () => {
  it('tells name, size, type and both hashes, and reads from any place', async () => {
    const file = await source();
    expect(file).toMatchObject({ name: 'picture.png', size: content.length, type: 'image/png' });
    expect((await file.hashes()).map(({ algorithm, value }) => [algorithm, value.length])).toEqual([
      ['sha-1', 59],
      ['sha-256', 95],
    ]);
    expect(await whole(file.read(0))).toEqual(content);
    expect(await whole(file.read(300_000))).toEqual(content.subarray(300_000));
    expect(await whole(file.read(content.length))).toEqual(new Uint8Array());
  });

  it('is no longer read when it changes under way', async () => {
    const file = await source();
    await appendFile(join(folder, 'picture.png'), 'more');
    await expect(whole(file.read(0))).rejects.toMatchObject({ field: 'file.path' });
  });

  it('must be a file that can be read', async () => {
    await expect(storage.openSource(join(folder, 'missing'))).rejects.toMatchObject({ field: 'file.path' });
    await expect(storage.openSource(folder)).rejects.toMatchObject({ field: 'file.path' });
  });
});

describe('a file that is received', () => {
  it('has its name only when all of it is there and has the right hash', async () => {
    const hashes = await hashesOf(content);
    const target = await openTarget({ key: 'one', name: 'a.bin', size: content.length, hashes });
    await target.write(0, content.subarray(0, 400_000));
    expect(await visible()).toEqual([]);
    await target.write(400_000, content.subarray(400_000));
    expect(await visible()).toEqual([]);
    const { path, hashChecked } = await target.finish();
    expect(hashChecked).toBe(true);
    expect(Uint8Array.from(await readFile(path))).toEqual(content);
    expect(await visible()).toEqual(['a.bin']);
    expect(await partials()).toEqual([]);
    if (process.platform !== 'win32') expect((await stat(path)).mode & 0o077).toBe(0);
  });

  it('never replaces another', async () => {
    for (const name of ['a.bin', 'a (2).bin', 'a (3).bin']) {
      const target = await openTarget({ key: name, name: 'a.bin', size: 3, hashes: [] });
      await target.write(0, Uint8Array.of(1, 2, 3));
      expect((await target.finish()).path.endsWith(`/${name}`)).toBe(true);
    }
  });

  it('is thrown away with a wrong hash or size', async () => {
    const hashes = await hashesOf(content);
    const changed = Uint8Array.from(content);
    changed[5] = 77;
    const target = await openTarget({ key: 'one', name: 'a', size: content.length, hashes });
    await target.write(0, changed);
    await expect(target.finish()).rejects.toMatchObject({ field: 'file.hash' });
    const short = await openTarget({ key: 'two', name: 'a', size: 10, hashes: [] });
    await short.write(0, Uint8Array.of(1));
    await expect(short.finish()).rejects.toMatchObject({ field: 'file.size' });
    expect(await visible()).toEqual([]);
    expect(await partials()).toEqual([]);
  });

  it('takes no more than was announced, and only in order', async () => {
    const target = await openTarget({ key: 'one', name: 'a', size: 2, hashes: [] });
    const wrong = (field: string): Error => expect.objectContaining({ field }) as Error;
    expect(() => target.write(0, Uint8Array.of(1, 2, 3))).toThrow(wrong('file.size'));
    expect(() => target.write(1, Uint8Array.of(1))).toThrow(wrong('file.position'));
    await target.discard();
    expect(await partials()).toEqual([]);
  });

  it('goes on where an earlier attempt stopped, and checks the hash of the whole', async () => {
    const options = { key: 'one', name: 'a', size: content.length, hashes: await hashesOf(content) };
    const first = await openTarget(options);
    expect(first.present).toBe(0);
    await first.write(0, content.subarray(0, 123_456));
    await first.suspend();
    const second = await openTarget(options);
    expect(second.present).toBe(123_456);
    await second.write(123_456, content.subarray(123_456));
    expect(Uint8Array.from(await readFile((await second.finish()).path))).toEqual(content);
  });

  it('begins anew when another file is asked for, or what is there is longer than it may be', async () => {
    const first = await openTarget({ key: 'one', name: 'a', size: 5, hashes: [] });
    await first.write(0, Uint8Array.of(1, 2, 3, 4));
    await first.suspend();
    const shorter = await openTarget({ key: 'one', name: 'a', size: 3, hashes: [] });
    expect(shorter.present).toBe(0);
    await shorter.discard();
    const other = await openTarget({ key: 'two', name: 'a', size: 5, hashes: [] });
    expect(other.present).toBe(0);
    await other.discard();
  });

  it('says with a hash that we do not know, or SHA-1 alone, that nothing strong was checked', async () => {
    const [sha1] = await hashesOf(Uint8Array.of(1));
    const target = await openTarget({
      key: 'one',
      name: 'a',
      size: 1,
      hashes: [sha1!, { algorithm: 'whirlpool', value: 'AA' }],
    });
    await target.write(0, Uint8Array.of(1));
    expect((await target.finish()).hashChecked).toBe(false);
  });

  it('is refused where there is no room or no folder', async () => {
    await expect(openTarget({ key: 'k', name: 'a', size: 2 ** 52, hashes: [] })).rejects.toMatchObject({
      field: 'file.folder',
    });
    await writeFile(join(folder, 'blocked'), '');
    const blocked = createFileStorage(join(folder, 'blocked'));
    await expect(openTarget({ key: 'k', name: 'a', size: 1, hashes: [] }, blocked)).rejects.toMatchObject({
      field: 'file.folder',
    });
  });

  it('is not written through a link that lies at its name', async () => {
    await writeFile(join(folder, 'victim'), 'untouched');
    const target = await openTarget({ key: 'k', name: 'a', size: 1, hashes: [] });
    await symlink(join(folder, 'victim'), join(folder, 'received', 'a'));
    await target.write(0, Uint8Array.of(1));
    expect((await target.finish()).path.endsWith('/a (2)')).toBe(true);
    expect(await readFile(join(folder, 'victim'), 'utf8')).toBe('untouched');
  });
});

describe('an unfinished file that outlives the program', () => {
  const account = 'sip:bob@lab.test';

  async function leavePart(change: Partial<TransferNote> = {}, octets = content.length - 5): Promise<TransferNote> {
    const note: TransferNote = {
      account,
      id: 'transfer',
      peer: 'sip:alice@lab.test',
      name: 'picture.png',
      type: 'image/png',
      size: content.length,
      hashes: await hashesOf(content),
      at: 5,
      level: 'none',
      evidence: { kind: 'msrp-plain', vouchedBy: 'nobody', notProtected: [] },
      isPaused: false,
      ...change,
    };
    const target = await openTarget({ key: note.id, name: note.name, size: content.length, hashes: note.hashes });
    await target.write(0, content.subarray(0, octets));
    await target.keepNote(note);
    await target.suspend();
    return note;
  }

  it('is told with all that was noted, to its own account only', async () => {
    const note = await leavePart();
    expect(await storage.kept(account)).toEqual([{ note, present: content.length - 5 }]);
    expect(await storage.kept('sip:carol@lab.test')).toEqual([]);
    if (process.platform !== 'win32') {
      for (const name of await partials()) {
        expect((await stat(join(folder, 'received', partialFolder, name))).mode & 0o077).toBe(0);
      }
    }
  });

  it('has at least one octet to fetch, so that a connection proves its protection', async () => {
    const { hashes } = await leavePart({}, content.length);
    const target = await openTarget({ key: 'transfer', name: 'a', size: content.length, hashes });
    expect(target.present).toBe(content.length - 1);
    await target.write(content.length - 1, content.subarray(-1));
    await target.finish();
    expect(await partials()).toEqual([]);
  });

  it('counts for nothing where it is not known how it came', async () => {
    const { hashes } = await leavePart();
    const target = await openTarget({ key: 'transfer', continues: false, name: 'a', size: content.length, hashes });
    expect(target.present).toBe(0);
    await target.suspend();
  });

  it('is gone with its note once it is discarded', async () => {
    await leavePart();
    await storage.discard('transfer');
    expect(await storage.kept(account)).toEqual([]);
    expect(await partials()).toEqual([]);
  });

  it('is passed over when its note is damaged', async () => {
    await leavePart();
    const [note] = (await partials()).filter((name) => name.endsWith('.json'));
    await writeFile(join(folder, 'received', partialFolder, note!), '{"account":"sip:bob@lab.test"}');
    expect(await storage.kept(account)).toEqual([]);
    expect((await partials()).length).toBe(2);
  });

  it('is removed after 30 days, and not before', async () => {
    const age = async (milliseconds: number): Promise<void> => {
      const at = (Date.now() - milliseconds) / 1000;
      for (const name of await partials()) await utimes(join(folder, 'received', partialFolder, name), at, at);
    };
    await leavePart();
    await age(keptMilliseconds - 3_600_000);
    expect((await storage.kept(account)).length).toBe(1);
    await age(keptMilliseconds + 3_600_000);
    expect(await storage.kept(account)).toEqual([]);
    expect(await partials()).toEqual([]);
  });
});

describe('the name of a received file', () => {
  it.each([
    ['../../etc/passwd', '_._etc_passwd'],
    ['C:\\Windows\\system32\\evil.exe', 'C__Windows_system32_evil.exe'],
    ['.bashrc', 'bashrc'],
    ['CON', '_CON'],
    ['nul.txt', '_nul.txt'],
    ['photo\u202Egpj.exe', 'photogpj.exe'],
    ['tab\tand\nline.txt', 'tabandline.txt'],
    ['report.pdf. . ', 'report.pdf'],
    ['', 'file'],
    ['...', 'file'],
    ['Bericht für Köln.pdf', 'Bericht für Köln.pdf'],
    ['e\u0301.txt', 'é.txt'],
    ['\u{1F600}.png', '\u{1F600}.png'],
  ])('%j becomes %j', (given, safe) => {
    expect(safeFileName(given)).toBe(safe);
  });

  it('is short and keeps its ending', () => {
    const long = safeFileName(`${'ä'.repeat(500)}.jpeg`);
    expect(Buffer.byteLength(long)).toBeLessThanOrEqual(180);
    expect(long.endsWith('ä.jpeg')).toBe(true);
    expect(Buffer.byteLength(numberedFileName(long, 12))).toBeLessThanOrEqual(180);
    expect(numberedFileName('a.tar', 2)).toBe('a (2).tar');
    expect(numberedFileName('noending', 2)).toBe('noending (2)');
  });

  it('never leaves the folder, whatever is sent', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (name) => {
        const safe = safeFileName(name);
        expect(safe).not.toMatch(/[/\\:]|\p{Cc}/u);
        expect(safe).not.toMatch(/^\.|^\s|[.\s]$/);
        expect(safe.length).toBeGreaterThan(0);
        expect(Buffer.byteLength(safe)).toBeLessThanOrEqual(181);
      }),
      { seed: 5, numRuns: 300 },
    );
  });
});

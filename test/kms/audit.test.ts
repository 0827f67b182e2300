import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { concatBytes, utf8 } from '../../src/base/bytes.ts';
import { sha256 } from '../../src/crypto/digest.ts';
import { chainLines, chainStart, type AuditHead, type AuditLine } from '../../src/kms/audit-chain.ts';
import { verifyAudit, type NotedHead } from '../../src/kms/audit-verify.ts';
import { createMemoryStorage } from '../../src/kms/memory-storage.ts';
import { headText, parseHead, readHeadFile, withHeadFile } from '../../src/kms/storage/audit-head-file.ts';
import { AuditQueue } from '../../src/kms/storage/audit-queue.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const entries = Array.from({ length: 2500 }, (_, index) => ({ time: index, action: 'a', outcome: `${index}` }));
const chain = chainLines(chainStart, entries);
const headOf = ({ sequence, hash }: AuditHead): AuditHead => ({ sequence, hash });

/** A storage that holds these lines, whatever they are. */
const auditOf = (lines: readonly AuditLine[], head: AuditHead | undefined = lines.at(-1)) => ({
  head: () => Promise.resolve(head && headOf(head)),
  read: (after: number, limit: number) =>
    Promise.resolve(lines.filter(({ sequence }) => sequence > after).slice(0, limit)),
});
const short = chain.slice(0, 20);
const line = (number: number): AuditLine => short[number - 1]!;
const noted = (head: AuditHead): NotedHead => ({ head: headOf(head), from: 'a note' });
const rebuilt = (from: number, change: (index: number) => string): readonly AuditLine[] => [
  ...short.slice(0, from - 1),
  ...chainLines(
    short[from - 2] ?? chainStart,
    entries.slice(from - 1, 20).map((entry, index) => ({ ...entry, outcome: change(index + from) })),
  ),
];

describe('the chain of the audit', () => {
  it('is whole as it was written, over many pages', async () => {
    expect(await verifyAudit(auditOf(chain))).toEqual({ verdict: 'whole', head: headOf(chain.at(-1)!) });
    expect(await verifyAudit(auditOf([], undefined))).toEqual({ verdict: 'whole', head: chainStart });
  });

  it.each<{ name: string; lines: readonly AuditLine[]; heads?: readonly NotedHead[]; at: number; problem: RegExp }>([
    {
      name: 'a changed text',
      lines: short.map((one) => (one.sequence === 7 ? { ...one, text: one.text.replace('"a"', '"b"') } : one)),
      at: 7,
      problem: /line 7 was changed/,
    },
    {
      name: 'a changed hash',
      lines: short.map((one) => (one.sequence === 7 ? { ...one, hash: new Uint8Array(32) } : one)),
      at: 7,
      problem: /line 7 was changed/,
    },
    {
      name: 'a longer hash',
      lines: short.map((one) => (one.sequence === 7 ? { ...one, hash: Uint8Array.of(...one.hash, 0) } : one)),
      at: 7,
      problem: /line 7 was changed/,
    },
    { name: 'a removed line', lines: short.filter((one) => one.sequence !== 7), at: 7, problem: /line 7 is missing/ },
    { name: 'a removed beginning', lines: short.slice(3), at: 1, problem: /line 1 is missing/ },
    {
      name: 'two lines that changed places',
      lines: short.map((one) =>
        one.sequence === 7 ? { ...line(8), sequence: 7 } : one.sequence === 8 ? { ...line(7), sequence: 8 } : one,
      ),
      at: 7,
      problem: /line 7 was changed/,
    },
    {
      name: 'a chain written anew from a line on, against a noted head',
      lines: rebuilt(5, () => 'x'),
      heads: [noted(line(10))],
      at: 10,
      problem: /not the line that a note noted/,
    },
    {
      name: 'lines cut from the end, against a noted head',
      lines: short.slice(0, 15),
      heads: [noted(line(18))],
      at: 16,
      problem: /end is missing: a note noted line 18/,
    },
    {
      name: 'an emptied storage, against a noted head',
      lines: [],
      heads: [noted(line(18))],
      at: 1,
      problem: /end is missing/,
    },
  ])('shows $name', async ({ lines, heads = [], at, problem }) => {
    const verdict = await verifyAudit(auditOf(lines), heads);
    expect(verdict).toMatchObject({ verdict: 'broken', sequence: at });
    expect(verdict).toHaveProperty('problem', expect.stringMatching(problem));
  });

  it('shows lines that were cut when the storage’s own head was left', async () => {
    expect(await verifyAudit(auditOf(short.slice(0, 15), line(20)))).toMatchObject({
      verdict: 'broken',
      sequence: 16,
      problem: 'the end is missing: the storage noted line 20',
    });
  });

  it('cannot show what the documentation says it cannot', async () => {
    expect(await verifyAudit(auditOf(rebuilt(1, () => 'forged')))).toMatchObject({ verdict: 'whole' });
    expect(await verifyAudit(auditOf(short.slice(0, 15)), [noted(line(15))])).toMatchObject({ verdict: 'whole' });
  });

  it('shows a line that states another number, even under a right hash', async () => {
    const [forged] = chainLines({ sequence: 5, hash: chainStart.hash }, entries.slice(0, 1));
    expect(await verifyAudit(auditOf([{ ...forged!, sequence: 1 }]))).toMatchObject({
      verdict: 'broken',
      problem: 'line 1 states another number',
    });
    const text = 'no JSON';
    const hash = sha256(concatBytes(chainStart.hash, utf8(text)));
    expect(await verifyAudit(auditOf([{ sequence: 1, text, hash }]))).toMatchObject({ verdict: 'broken' });
  });

  it('shows any single change of any line', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: 19 }), fc.nat(), fc.integer({ min: 1, max: 0x7f }), async (index, at, change) => {
        const victim = short[index]!;
        const position = at % victim.text.length;
        const code = victim.text.charCodeAt(position) ^ change;
        const text = victim.text.slice(0, position) + String.fromCharCode(code) + victim.text.slice(position + 1);
        const lines = short.map((one) => (one === victim ? { ...one, text } : one));
        expect(await verifyAudit(auditOf(lines))).toMatchObject({ verdict: 'broken', sequence: index + 1 });
      }),
      { numRuns: 200, seed: 4 },
    );
  });
});

describe('the queue of the audit', () => {
  const entry = (outcome: string) => ({ time: 0, action: 'a', outcome });

  it('writes together what waits together, in order, and tells each its own line', async () => {
    const writes: number[] = [];
    let head = chainStart;
    const queue = new AuditQueue(async (waiting) => {
      writes.push(waiting.length);
      await Promise.resolve();
      const lines = chainLines(head, waiting);
      head = lines.at(-1)!;
      return lines;
    });
    await queue.idle();
    const heads = await Promise.all(Array.from({ length: 2500 }, (_, index) => queue.append(entry(`${index}`))));
    expect(heads.map(({ sequence }) => sequence)).toEqual(heads.map((_, index) => index + 1));
    expect(writes).toEqual([1000, 1000, 500]);
    await queue.append(entry('later'));
    await queue.idle();
    expect(writes).toEqual([1000, 1000, 500, 1]);
  });

  it('fails all that were written together, and goes on with the next', async () => {
    let isAway = true;
    const queue = new AuditQueue((waiting) =>
      isAway ? Promise.reject(new Error('away')) : Promise.resolve(chainLines(chainStart, waiting)),
    );
    const failed = await Promise.allSettled([queue.append(entry('1')), queue.append(entry('2'))]);
    expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    isAway = false;
    expect(await queue.append(entry('3'))).toMatchObject({ sequence: 1 });
  });

  it('forgets no entry that comes in the moment in which it has just finished', async () => {
    const queue = new AuditQueue((given) => Promise.resolve(chainLines(chainStart, given)));
    // The second is appended as soon as the first is told, before anything else happens.
    const heads = [await queue.append(entry('1')), await queue.append(entry('2'))];
    await queue.idle();
    expect(heads.map(({ sequence }) => sequence)).toEqual([1, 1]);
  });

  it('takes a storage that writes less than it was given for a failure', async () => {
    const queue = new AuditQueue(() => Promise.resolve([]));
    await expect(queue.append(entry('1'))).rejects.toThrow(/fewer lines/);
  });
});

describe('the head that is kept aside', () => {
  const folder = temporaryFolder('audit-head');
  const entry = { time: 0, action: 'a', outcome: 'b' };

  it('is the newest when the storage has closed, readable to its owner only', async () => {
    const path = join(folder, 'head');
    const storage = withHeadFile(createMemoryStorage(), path, expect.fail);
    for (let index = 0; index < 5; index++) await storage.audit.append(entry);
    const head = await storage.audit.head();
    await storage.close();
    expect(await readHeadFile(path)).toEqual(head);
    expect(await storage.audit.read(4, 10)).toHaveLength(1);
    expect(readFileSync(path, 'utf8')).toBe(`${headText(head!)}\n`);
    expect(readdirSync(folder)).toEqual(['head']);
  });

  it('comes into its file by itself while the storage is open', async () => {
    const path = join(folder, 'while-open');
    const storage = withHeadFile(createMemoryStorage(), path, expect.fail);
    const head = await storage.audit.append(entry);
    await expect.poll(() => readHeadFile(path), { timeout: 30_000 }).toEqual(headOf(head));
    await storage.close();
  });

  it('never goes back, whatever order the answers of the storage come in', async () => {
    const path = join(folder, 'order');
    const memory = createMemoryStorage();
    const heads = [5, 3].map((sequence) => ({ sequence, hash: new Uint8Array(32).fill(sequence) }));
    const answers = [...heads];
    const audit = {
      head: () => memory.audit.head(),
      read: (after: number, limit: number) => memory.audit.read(after, limit),
      append: () => Promise.resolve(answers.shift()!),
    };
    const storage = withHeadFile({ ...memory, audit }, path, expect.fail);
    for (const head of heads) expect(await storage.audit.append(entry)).toEqual(head);
    await storage.close();
    expect(await readHeadFile(path)).toEqual(heads[0]);
  });

  it('follows the same audit over restarts', async () => {
    const path = join(folder, 'restart');
    const memory = createMemoryStorage();
    for (const lines of [2, 3]) {
      const storage = withHeadFile(memory, path, expect.fail);
      for (let index = 0; index < lines; index++) await storage.audit.append(entry);
      await storage.close();
    }
    expect(await readHeadFile(path)).toMatchObject({ sequence: 5 });
  });

  it.each([
    ['has fewer lines than were noted', 2],
    ['has other lines', 9],
  ])('stays what was noted of an audit that now %s, and that is told', async (_, lines) => {
    const path = join(folder, `changed-${lines}`);
    const before = withHeadFile(createMemoryStorage(), path, expect.fail);
    for (let index = 0; index < 5; index++) await before.audit.append({ ...entry, outcome: `before ${index}` });
    await before.close();
    const noted = await readHeadFile(path);
    const problems: string[] = [];
    const after = withHeadFile(createMemoryStorage(), path, (reason) => problems.push(reason));
    for (let index = 0; index < lines; index++) await after.audit.append(entry);
    await after.close();
    expect(problems).toEqual([expect.stringMatching(/line 5, which was noted, is gone or another/)]);
    expect(await readHeadFile(path)).toEqual(noted);
    expect(await verifyAudit(after.audit, [{ head: noted!, from: path }])).toMatchObject({ verdict: 'broken' });
  });

  it('is not touched when nothing was appended', async () => {
    const path = join(folder, 'untouched');
    await withHeadFile(createMemoryStorage(), path, expect.fail).close();
    expect(await readHeadFile(path)).toBeUndefined();
  });

  it('that cannot be written is told, and the audit goes on', async () => {
    const problems: string[] = [];
    const path = join(folder, 'none', 'head');
    const storage = withHeadFile(createMemoryStorage(), path, (reason) => problems.push(reason));
    expect(await storage.audit.append(entry)).toMatchObject({ sequence: 1 });
    await storage.close();
    expect(problems).toEqual([expect.stringContaining('ENOENT')]);
  });

  it.each(['', '0:00', `1:${'0'.repeat(63)}`, `-1:${'0'.repeat(64)}`, `1 ${'0'.repeat(64)}`])('refuses %j', (text) => {
    expect(() => parseHead(text, 'head')).toThrow(/expected SEQUENCE:HASH/);
  });

  it('is not taken for absent when it cannot be read', async () => {
    writeFileSync(join(folder, 'file'), '');
    await expect(readHeadFile(join(folder, 'file', 'below'))).rejects.toMatchObject({ code: 'ENOTDIR' });
  });
});

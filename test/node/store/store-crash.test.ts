import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { openStore } from '../../../src/node/store/open-store.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { testKey } from './support/store-files.ts';

const program = fileURLToPath(new URL('support/crash-writer.ts', import.meta.url));
const patience = 120_000;
const running = new Set<ReturnType<typeof spawn>>();
afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
});

/** Runs the writer until it ends, or kills it when it says `until`. @returns all that it said */
async function write(words: readonly string[], until?: string): Promise<readonly string[]> {
  const child = spawn(process.execPath, [program, ...words], { stdio: ['ignore', 'pipe', 'inherit'] });
  running.add(child);
  const closed = once(child, 'close');
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (line === until) child.kill('SIGKILL');
  }
  await closed;
  running.delete(child);
  return lines;
}

const numbersOf = (lines: readonly string[], word: string) =>
  lines.filter((line) => line.startsWith(`${word} `)).map((line) => Number(line.slice(word.length + 1)));

const points = [
  'after-write:40',
  'in-transaction:23',
  'before-commit:31',
  'after-commit:17',
  'after-removal:28',
  'parent',
];

describe('A program that is killed while it writes', () => {
  it(
    'leaves all that it was told to be durable, transactions whole, and nothing that was removed',
    async () => {
      const folder = temporaryFolder('store-crash');
      const durable: number[] = [];
      const removed: number[] = [];
      for (const [round, point] of points.entries()) {
        const first = round * 1_000 + 1;
        const lines =
          point === 'parent'
            ? await write([folder, String(first)], `durable ${first + 60}`)
            : await write([folder, String(first), point]);
        if (point !== 'parent') expect(lines.at(-1)).toMatch(/^killed /);
        durable.push(...numbersOf(lines, 'durable'));
        removed.push(...numbersOf(lines, 'removed'));

        const { store, notice } = await openStore({ folder, key: testKey() });
        expect(notice).toBeUndefined();
        const { messages, notes } = store.account('a');
        const missing = durable.filter((number) => messages.get(`p${number}`) === undefined);
        const lost = durable.filter((number) => messages.get(`m${number}`) === undefined && !isRemoved(number));
        expect([missing, lost]).toEqual([[], []]);
        expect(removed.filter((number) => messages.get(`m${number}`) !== undefined)).toEqual([]);
        const pairs = [...messages.all('sip:pair@example.org')].map(({ id }) => id.slice(1)).sort();
        expect(notes.list('pair').map(({ key }) => key)).toEqual(pairs);
        const found = store.search({ text: 'words', limit: 200 }).hits.length;
        expect(found).toBe(Math.min(200, [...messages.all('sip:bob@example.org')].length));
        await store.close();
      }
      expect(durable.length).toBeGreaterThan(150);
      expect(removed.length).toBeGreaterThan(10);
    },
    patience,
  );
});

/** The writer removes three before each multiple of seven; whether it came to be told so is chance. */
const isRemoved = (number: number) => (number + 3) % 7 === 0;

describe('A second process', () => {
  it(
    'is refused a store that is in use, and takes it over from one that was killed',
    async () => {
      const folder = temporaryFolder('store-second');
      const { store } = await openStore({ folder, key: testKey() });
      expect(await write([folder, '1'])).toEqual(['refused in-use']);
      store.account('a').notes.set('still', 'mine', true);
      await store.durable();
      await store.close();
      const lines = await write([folder, '1'], 'durable 5');
      expect(lines[0]).toBe('opened');
      const after = await openStore({ folder, key: testKey() });
      expect(after.store.account('a').notes.get('still', 'mine')).toBe(true);
      await after.store.close();
    },
    patience,
  );
});

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = new URL('../..', import.meta.url).pathname;
const folder = 'docs/conformance';
const overviews = ['docs/conformance-msrp.md', 'docs/conformance-sip.md'];
const columns = 3;
/** A file, in backquotes or not, `>`, and a title that ends with the cell or at a semicolon. */
const namedTest = /`?(test\/[^`\s]+\.tsx?)`?\s*>\s*([^;]+)/g;

/** What is wrong with a page, a line for each fault; the rules stand in docs/conformance-msrp.md. */
function faultsOf(name: string, text: string, readSource: (path: string) => string | undefined): string[] {
  const faults: string[] = [];
  let rows = 0;
  const lines = text.split('\n');
  for (const [index, line] of lines.entries()) {
    if (!line.startsWith('|')) continue;
    const fault = (problem: string): void => void faults.push(`${name}:${index + 1}: ${problem}`);
    // A bar inside of a cell is written with a backslash.
    const cells = line
      .replace(/\|\s*$/, '')
      .split(/(?<!\\)\|/)
      .slice(1)
      .map((cell) => cell.trim());
    if (cells.length !== columns) fault(`${cells.length} columns, not clause, demand and what shows it`);
    if (lines[index - 1]?.startsWith('|') !== true || /^\|[\s:|-]+$/.test(line)) continue;
    rows++;
    if (cells.some((cell) => cell === '')) fault('an empty cell');
    for (const problem of faultsOfProof(cells[columns - 1] ?? '', readSource)) fault(problem);
  }
  if (rows === 0) faults.push(`${name}: no table with rows`);
  return faults;
}

function faultsOfProof(proof: string, readSource: (path: string) => string | undefined): string[] {
  const faults: string[] = [];
  const tests = [...proof.matchAll(namedTest)];
  // A file without a title shows nothing.
  const isReason = /\S+\s+\S+/.test(proof) && !/^`?test\//.test(proof);
  if (tests.length === 0 && !isReason && readSource(proof) === undefined) {
    faults.push(`neither a test (file > title) nor a reason in words: ${proof}`);
  }
  for (const [, path = '', title = ''] of tests) {
    const source = readSource(path);
    if (source === undefined) faults.push(`there is no file ${path}`);
    else {
      const missing = title.split(' > ').find((part) => !readings(part).some((text) => source.includes(plain(text))));
      if (missing !== undefined) faults.push(`${path} has no test called "${missing.trim()}"`);
    }
  }
  // Other files, such as the ones of a construction.
  for (const [, path = ''] of proof.matchAll(/`((?:src|electron|renderer|test|build)\/[^`]+\.\w+)`/g)) {
    if (readSource(path) === undefined) faults.push(`there is no file ${path}`);
  }
  return [...new Set(faults)];
}

/** A title as it stands, without a remark in brackets behind it, and without a sentence behind it. */
function readings(title: string): string[] {
  return [title, title.replace(/\s*\([^()]*\)\s*$/, ''), title.split('. ')[0] ?? title];
}

/** Text of a cell or of a source without what each of them needs for its own syntax. */
function plain(text: string): string {
  return text
    .replace(/\\(['"`|\\<>*_[\]])/g, '$1')
    .replace(/\s+/g, ' ')
    .trim();
}

const sources = new Map<string, string | undefined>();
function readSource(path: string): string | undefined {
  if (!sources.has(path)) {
    const whole = join(root, path);
    sources.set(path, existsSync(whole) ? plain(readFileSync(whole, 'utf8')) : undefined);
  }
  return sources.get(path);
}

const pages = existsSync(join(root, folder))
  ? readdirSync(join(root, folder))
      .filter((name) => name.endsWith('.md'))
      .sort()
  : [];

describe('The conformance pages', () => {
  it.each(pages)('%s names only tests that exist, and leaves nothing empty', (name) => {
    const path = `${folder}/${name}`;
    expect(faultsOf(path, readFileSync(join(root, path), 'utf8'), readSource)).toEqual([]);
  });

  it('are all linked, and every link leads to one', () => {
    const text = overviews.map((path) => readFileSync(join(root, path), 'utf8')).join('\n');
    const linked = [...text.matchAll(/\]\(conformance\/([^)]+\.md)\)/g)].map(([, name]) => name ?? '');
    expect(linked.sort()).toEqual(pages);
  });
});

describe('The check of the conformance pages', () => {
  const head = '| clause | demand | shown by |\n| --- | --- | --- |\n';
  const source = plain("describe('A frame', () => { it('isn\\'t cut', () => {}); })");
  const read = (path: string): string | undefined => (path === 'test/a.test.ts' ? source : undefined);
  const check = (rows: string): string[] => faultsOf('page', head + rows, read);

  it.each([
    "| 1 | something (MUST) | `test/a.test.ts` > isn't cut |",
    "| 1 | something (MUST) | `test/a.test.ts` > A frame > isn't cut; and more words |",
    "| 1 | something (MUST) | test/a.test.ts > isn't cut (at all) |",
    '| 1 | something (MUST) | Does not apply: there is none |',
  ])('takes %s', (row) => {
    expect(check(row)).toEqual([]);
  });

  it.each([
    ["| 1 | something | `test/b.test.ts` > isn't cut |", 'page:3: there is no file test/b.test.ts'],
    ['| 1 | something | `test/a.test.ts` > is cut |', 'page:3: test/a.test.ts has no test called "is cut"'],
    ['| 1 |  | Does not apply: no |', 'page:3: an empty cell'],
    ['| 1 | something |', 'page:3: 2 columns, not clause, demand and what shows it'],
    ['| 1 | something | By construction (`src/no.ts`) |', 'page:3: there is no file src/no.ts'],
    ['| 1 | something | yes |', expect.stringContaining('neither a test') as string],
    ['| 1 | something | test/a.test.ts, all of it |', expect.stringContaining('neither a test') as string],
    ['', 'page: no table with rows'],
  ])('refuses %s', (row, fault) => {
    expect(check(row)).toContainEqual(fault);
  });
});

import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { utf8 } from '../../src/base/bytes.ts';
import { createTicketStore } from '../../src/node/ticket-store.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const account = 'sip:alice@lab.test';
const files = (folder: string) => readdirSync(join(folder, 'tickets')).sort();

it('keeps one file for each account, which only its owner can read and whose name tells nothing', async () => {
  const folder = temporaryFolder('tickets');
  const store = createTicketStore(folder, account);
  expect(await store.read(100)).toBeUndefined();
  await store.write(utf8('one'));
  await store.write(utf8('two'));
  await createTicketStore(folder, 'sip:bob@lab.test').write(utf8('bob'));
  expect(await store.read(100)).toEqual(utf8('two'));
  expect(files(folder)).toHaveLength(2);
  for (const name of files(folder)) {
    expect(name).toMatch(/^[0-9a-f]{32}\.tickets$/);
    if (process.platform !== 'win32') expect(statSync(join(folder, 'tickets', name)).mode & 0o777).toBe(0o600);
  }
});

it('sets a file aside, once, and removes both', async () => {
  const folder = temporaryFolder('tickets');
  const store = createTicketStore(folder, account);
  for (const content of ['first', 'second']) {
    await store.write(utf8(content));
    await store.setAside();
  }
  expect(files(folder)).toEqual([expect.stringMatching(/\.tickets\.damaged$/)]);
  expect(readFileSync(join(folder, 'tickets', files(folder)[0] ?? ''), 'utf8')).toBe('second');
  await store.write(utf8('third'));
  await store.remove();
  await store.remove();
  expect(files(folder)).toEqual([]);
});

it('removes the draft of a program that ended while it wrote, and touches no other account', async () => {
  const folder = temporaryFolder('tickets');
  const store = createTicketStore(folder, account);
  await store.write(utf8('old'));
  const [name = ''] = files(folder);
  await createTicketStore(folder, 'sip:bob@lab.test').write(utf8('bob'));
  const [others] = files(folder).filter((other) => other !== name);
  writeFileSync(join(folder, 'tickets', `${name}.0123456789ab.new`), 'half');
  await store.remove();
  expect(files(folder)).toEqual([others]);
});

it('reads no file that is longer than it may be', async () => {
  const folder = temporaryFolder('tickets');
  const store = createTicketStore(folder, account);
  await store.write(new Uint8Array(101));
  await expect(store.read(100)).rejects.toThrow('longer');
});

it('leaves no half file and no draft when it cannot write', async () => {
  const folder = temporaryFolder('tickets');
  const store = createTicketStore(folder, account);
  await store.write(utf8('old'));
  const [name = ''] = files(folder);
  // A folder in the place of the file: the last step, the rename, fails.
  await store.remove();
  mkdirSync(join(folder, 'tickets', name));
  writeFileSync(join(folder, 'tickets', name, 'in the way'), '');
  await expect(store.write(utf8('new'))).rejects.toThrow();
  expect(files(folder)).toEqual([name]);
});

import type { IpcMain } from 'electron';
import { beforeEach, expect, it, vi } from 'vitest';
import { silentLogger } from '../../src/base/log.ts';
import type { PickedFile } from '../../src/contract/index.ts';

const shell = vi.hoisted(() => ({ chosen: { canceled: false, filePaths: [''] }, shown: [] as string[] }));
vi.mock('electron', () => ({
  BrowserWindow: { getAllWindows: () => [] },
  dialog: { showOpenDialog: () => Promise.resolve(shell.chosen) },
  shell: { showItemInFolder: (path: string) => shell.shown.push(path) },
}));
const { bindDrops, desktopFiles } = await import('../../electron/files.ts');

const ours = { url: 'app://tessera/' };
type Handler = (event: object, path: unknown) => Promise<PickedFile | null>;

function setUp() {
  const files = desktopFiles();
  let handler: Handler = () => Promise.resolve(null);
  const ipcMain = { handle: (_: string, given: Handler) => (handler = given) };
  bindDrops(ipcMain as unknown as IpcMain, files, silentLogger);
  const drop = (path: unknown, frame: object | null = ours) =>
    handler({ senderFrame: frame, sender: { mainFrame: frame } }, path);
  return { files, drop };
}

beforeEach(() => {
  shell.chosen = { canceled: false, filePaths: [import.meta.filename] };
});

it('a file chosen in the dialog is known by a token, which stands for its path once', async () => {
  const { files } = setUp();
  const picked = await files.chooseFile!();
  expect(picked).toMatchObject({ name: 'files.test.ts' });
  expect(JSON.stringify(picked)).not.toContain(import.meta.dirname);
  expect(files.picked.take(picked!.token)).toBe(import.meta.filename);
  expect(files.picked.take(picked!.token)).toBeUndefined();
});

it('nothing is chosen when the dialog is cancelled', async () => {
  shell.chosen = { canceled: true, filePaths: [] };
  expect(await setUp().files.chooseFile!()).toBeUndefined();
});

it('a dropped file gets a token; a folder, a path that leads nowhere, and what is no path get none', async () => {
  const { files, drop } = setUp();
  const picked = await drop(import.meta.filename);
  expect(files.picked.take(picked!.token)).toBe(import.meta.filename);
  for (const path of [import.meta.dirname, '/nowhere/at/all', '', 7, null]) expect(await drop(path)).toBeNull();
});

it.each([
  ['a web page', { url: 'https://example.org/' }],
  ['a frame that is gone', null],
])('%s gets no token for any path', async (_, frame) => {
  expect(await setUp().drop(import.meta.filename, frame)).toBeNull();
});

it('shows a file in its folder', () => {
  setUp().files.showFile!('/received/plan.pdf');
  expect(shell.shown).toEqual(['/received/plan.pdf']);
});

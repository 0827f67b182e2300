import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

const { shell, note } = vi.hoisted(() => {
  const state = { hasLock: true, hasScreens: true, folder: '', calls: [] as string[] };
  return {
    shell: state,
    note:
      (name: string) =>
      async (...args: unknown[]) => {
        state.calls.push([name, ...args.filter((arg) => typeof arg === 'string')].join(' '));
      },
  };
});

vi.mock('keytar', () => {
  throw new Error('keytar was not built');
});

vi.mock('../../src/node/screens/pages.ts', () => ({
  loadPages: () =>
    shell.hasScreens ? Promise.resolve(new Map()) : Promise.reject(new Error('The screens are not built')),
}));

vi.mock('electron', async () => {
  const { EventEmitter } = await import('node:events');
  const app = Object.assign(new EventEmitter(), {
    enableSandbox: note('sandbox'),
    requestSingleInstanceLock: () => shell.hasLock,
    whenReady: () => Promise.resolve(),
    quit: note('quit'),
    exit: note('exit'),
    getPath: () => shell.folder,
    isPackaged: true,
  });
  class BrowserWindow extends EventEmitter {
    static getAllWindows = () => [];
    loadURL = note('load');
  }
  const defaultSession = {
    setPermissionRequestHandler: note('permission-request'),
    setPermissionCheckHandler: note('permission-check'),
    setDevicePermissionHandler: note('devices'),
    on: note('session-on'),
    webRequest: { onBeforeRequest: note('requests') },
    protocol: { handle: note('serve') },
  };
  return {
    app,
    BrowserWindow,
    shell: {},
    dialog: { showErrorBox: note('error'), showMessageBox: note('message') },
    ipcMain: { handle: note('ipc') },
    Menu: { setApplicationMenu: note('menu'), buildFromTemplate: () => ({}) },
    protocol: { registerSchemesAsPrivileged: note('scheme') },
    session: { defaultSession },
  };
});

beforeEach(() => {
  shell.calls.length = 0;
  shell.folder = mkdtempSync(join(tmpdir(), 'main-'));
  vi.resetModules();
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
});

afterEach(() => rmSync(shell.folder, { recursive: true }));

const names = () => shell.calls.map((call) => call.split(' ')[0]);

it('leaves to the instance that runs already', async () => {
  shell.hasLock = false;
  await import('../../electron/main.ts');
  expect(names()).toEqual(['scheme', 'sandbox', 'quit']);
});

it('guards the session before a window opens, and says when secrets cannot be kept', async () => {
  shell.hasLock = true;
  await import('../../electron/main.ts');
  await vi.waitFor(() => expect(names()).toContain('message'));
  expect(names()).toEqual([
    'scheme',
    'sandbox',
    'permission-request',
    'permission-check',
    'devices',
    'session-on',
    'requests',
    'serve',
    'menu',
    'ipc',
    'ipc',
    'load',
    'message',
  ]);
  expect(shell.calls).toContain('load app://tessera/');
});

it('tells why it cannot start', async () => {
  shell.hasScreens = false;
  await import('../../electron/main.ts');
  await vi.waitFor(() => expect(shell.calls).toContain('exit'));
  expect(shell.calls).toContain('error Tessera cannot start The screens are not built');
});

import { EventEmitter } from 'node:events';
import type { Session, WebContents } from 'electron';
import { beforeEach, describe, expect, it, vi } from 'vitest';

const windows: FakeWindow[] = [];

class FakeWindow extends EventEmitter {
  readonly loadURL = vi.fn(() => Promise.resolve());
  readonly show = vi.fn();
  readonly options: { webPreferences: Record<string, unknown>; show: boolean };

  constructor(options: never) {
    super();
    this.options = options;
    windows.push(this);
  }
}

vi.mock('electron', () => ({ BrowserWindow: FakeWindow }));

const { confineContents, confineSession, openWindow } = await import('../../electron/window.ts');

beforeEach(() => {
  windows.length = 0;
});

class FakeContents extends EventEmitter {
  openHandler: ((details: { url: string }) => { action: string }) | undefined;
  setWindowOpenHandler(handler: (details: { url: string }) => { action: string }): void {
    this.openHandler = handler;
  }

  isDenied(name: string, details: object = {}): boolean {
    const preventDefault = vi.fn();
    this.emit(name, { preventDefault, ...details });
    return preventDefault.mock.calls.length > 0;
  }
}

describe('window', () => {
  it('is sandboxed and isolated, without Node, and loads only the screens', () => {
    openWindow({ preload: '/x/preload.cjs', hasDevTools: false });
    expect(windows[0]!.options.webPreferences).toMatchObject({
      preload: '/x/preload.cjs',
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      nodeIntegrationInWorker: false,
      nodeIntegrationInSubFrames: false,
      webSecurity: true,
      webviewTag: false,
      devTools: false,
    });
    expect(windows[0]!.loadURL).toHaveBeenCalledExactlyOnceWith('app://tessera/');
  });

  it('shows itself when it has something to show', () => {
    openWindow({ preload: 'x', hasDevTools: true });
    expect(windows[0]!.options.show).toBe(false);
    windows[0]!.emit('ready-to-show');
    expect(windows[0]!.show).toHaveBeenCalledOnce();
  });

  it('refuses to navigate, to redirect, to open windows and to embed', () => {
    const contents = new FakeContents();
    confineContents(contents as unknown as WebContents);
    for (const url of [
      'https://example.org/',
      'file:///etc/passwd',
      'app://other/',
      'app://a@tessera/',
      'javascript:1',
    ]) {
      expect([url, contents.isDenied('will-navigate', { url })]).toEqual([url, true]);
      expect([url, contents.isDenied('will-frame-navigate', { url, isMainFrame: true })]).toEqual([url, true]);
    }
    expect(contents.isDenied('will-frame-navigate', { url: 'app://tessera/', isMainFrame: false })).toBe(true);
    expect(contents.isDenied('will-redirect', { url: 'app://tessera/' })).toBe(true);
    expect(contents.isDenied('will-attach-webview')).toBe(true);
    expect(contents.openHandler!({ url: 'https://example.org/' })).toEqual({ action: 'deny' });
  });

  it('lets its own page reload', () => {
    const contents = new FakeContents();
    confineContents(contents as unknown as WebContents);
    expect(contents.isDenied('will-navigate', { url: 'app://tessera/' })).toBe(false);
  });

  it('refuses permissions, devices, downloads and foreign requests', () => {
    const handlers: Record<string, (...args: never[]) => unknown> = {};
    const emitter = new EventEmitter();
    const keep = (name: string) => (handler: (...args: never[]) => unknown) => {
      handlers[name] = handler;
    };
    confineSession({
      setPermissionRequestHandler: keep('request'),
      setPermissionCheckHandler: keep('check'),
      setDevicePermissionHandler: keep('device'),
      on: emitter.on.bind(emitter),
      webRequest: { onBeforeRequest: keep('before') },
    } as unknown as Session);
    const call = (name: string, ...args: unknown[]) => handlers[name]!(...(args as never[]));

    const answer = vi.fn();
    for (const permission of ['media', 'notifications', 'clipboard-read', 'geolocation']) {
      call('request', {}, permission, answer);
      expect(call('check', {}, permission)).toBe(false);
    }
    expect(answer.mock.calls).toEqual([[false], [false], [false], [false]]);
    expect(call('device', {})).toBe(false);

    const preventDefault = vi.fn();
    emitter.emit('will-download', { preventDefault });
    expect(preventDefault).toHaveBeenCalled();

    const verdicts = [
      'https://example.org/x.js',
      'file:///etc/passwd',
      'app://tessera/assets/a.js',
      'blob:app://tessera/1',
      'blob:https://example.org/1',
    ].map((url) => {
      const decide = vi.fn();
      call('before', { url }, decide);
      return decide.mock.calls[0]![0] as unknown;
    });
    expect(verdicts).toEqual([
      { cancel: true },
      { cancel: true },
      { cancel: false },
      { cancel: false },
      { cancel: true },
    ]);
  });
});

import type { IpcMain } from 'electron';
import { describe, expect, it, vi } from 'vitest';
import { bindIpc } from '../../electron/ipc.ts';
import { silentLogger } from '../../src/base/log.ts';
import { createBridge } from '../../src/node/bridge/bridge.ts';
import { ScriptedHost } from '../support/scripted-host.ts';

type Handler = (event: object, envelope: unknown) => Promise<unknown>;

function setUp() {
  const handlers = new Map<string, Handler>();
  const ipcMain = {
    handle: (channel: string, handler: Handler) => handlers.set(channel, handler),
    removeHandler: (channel: string) => handlers.delete(channel),
  };
  const host = new ScriptedHost();
  const target = { url: 'app://tessera/', isDestroyed: () => false, getURL: () => target.url, send: vi.fn() };
  const unbind = bindIpc({
    ipcMain: ipcMain as unknown as IpcMain,
    bridge: createBridge({ host }),
    log: silentLogger,
    contents: () => [target as never],
  });
  const call = (senderFrame: object | null, envelope: unknown, mainFrame = senderFrame) =>
    handlers.get('tessera:call')!({ senderFrame, sender: { mainFrame } }, envelope);
  return { host, target, call, unbind, handlers };
}

const ours = { url: 'app://tessera/' };
const snapshot = { id: 1, call: 'getSnapshot', input: {} };

describe('ipc', () => {
  it('answers the top frame of the screens', async () => {
    const { call } = setUp();
    expect(await call(ours, snapshot)).toMatchObject({ id: 1, ok: true });
  });

  it.each([
    ['a web page', { url: 'https://example.org/' }],
    ['another host of our scheme', { url: 'app://evil/' }],
    ['a look-alike', { url: 'app://tessera.example.org/' }],
    ['a file', { url: 'file:///tmp/x.html' }],
    ['an empty page', { url: '' }],
    ['a frame that is gone', null],
  ])('refuses %s', async (_, frame) => {
    const { call } = setUp();
    await expect(call(frame, snapshot)).rejects.toThrow('refused');
  });

  it('refuses a frame inside the page, even one of ours', async () => {
    const { call } = setUp();
    await expect(call(ours, snapshot, { url: 'app://tessera/' })).rejects.toThrow('refused');
  });

  it('refuses a bad payload with a typed error', async () => {
    const { call } = setUp();
    expect(await call(ours, 'drop table')).toMatchObject({ ok: false, error: { code: 'invalid-envelope' } });
    expect(await call(ours, { id: 1, call: 'register', input: { accountId: 7 } })).toMatchObject({
      ok: false,
      error: { code: 'invalid-input' },
    });
  });

  it('sends events to windows that show the screens, and to no other', () => {
    const { host, target } = setUp();
    host.receive('sip:bob@lab.test', 'hello', 'e2e');
    expect(target.send).toHaveBeenCalledWith('tessera:event', expect.objectContaining({ event: 'message' }));
    target.send.mockClear();
    target.url = 'https://example.org/';
    host.receive('sip:bob@lab.test', 'private', 'e2e');
    expect(target.send).not.toHaveBeenCalled();
  });

  it('is silent once unbound', () => {
    const { host, target, unbind, handlers } = setUp();
    unbind();
    host.receive('sip:bob@lab.test', 'late', 'e2e');
    expect(target.send).not.toHaveBeenCalled();
    expect(handlers.size).toBe(0);
  });
});

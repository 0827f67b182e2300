import { EventEmitter } from 'node:events';
import { expect, it, vi } from 'vitest';
import type { PreloadBridge } from '../../src/contract/index.ts';

const exposed = vi.hoisted(() => ({ worlds: new Map<string, unknown>() }));
const invoke = vi.hoisted(() => vi.fn(() => Promise.resolve({ id: 1, ok: true, output: {} })));

vi.mock('electron', () => ({
  contextBridge: { exposeInMainWorld: (name: string, value: unknown) => exposed.worlds.set(name, value) },
  ipcRenderer: Object.assign(new EventEmitter(), { invoke }),
  webUtils: { getPathForFile: ({ name }: File) => `/picked/${name}` },
}));

await import('../../electron/preload.ts');
const { ipcRenderer } = (await import('electron')) as unknown as { ipcRenderer: EventEmitter };
const bridge = exposed.worlds.get('tessera') as PreloadBridge;

it('gives the page three frozen functions and nothing else', () => {
  expect([...exposed.worlds.keys()]).toEqual(['tessera']);
  expect(Object.keys(bridge)).toEqual(['call', 'onEvent', 'pickDropped']);
  expect(Object.isFrozen(bridge)).toBe(true);
});

it('passes on the envelope alone, on one fixed channel', async () => {
  await bridge.call({ id: 1, call: 'getSnapshot', input: {}, channel: 'other' } as never);
  expect(invoke).toHaveBeenCalledExactlyOnceWith('tessera:call', { id: 1, call: 'getSnapshot', input: {} });
});

it('asks the system for the path of a dropped file, and takes none from the page', async () => {
  invoke.mockClear();
  await bridge.pickDropped({ name: 'plan.pdf', path: '/etc/passwd' } as never);
  expect(invoke).toHaveBeenCalledExactlyOnceWith('tessera:drop', '/picked/plan.pdf');
});

it('gives events without their sender, until unsubscribed', () => {
  const listener = vi.fn();
  const unsubscribe = bridge.onEvent(listener);
  ipcRenderer.emit('tessera:event', { sender: 'ipcRenderer itself' }, { event: 'message' });
  unsubscribe();
  ipcRenderer.emit('tessera:event', {}, { event: 'message' });
  expect(listener.mock.calls).toEqual([[{ event: 'message' }]]);
});

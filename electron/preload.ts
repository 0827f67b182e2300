import { contextBridge, ipcRenderer, type IpcRendererEvent } from 'electron';
import type { CallEnvelope, EventEnvelope, PreloadBridge, ReplyEnvelope } from '../src/contract/index.ts';
import { channels } from './channels.ts';

// The page gets these two functions and nothing of ipcRenderer: no channel names, no event objects with a sender.
const bridge: PreloadBridge = Object.freeze({
  call: ({ id, call, input }: CallEnvelope) =>
    ipcRenderer.invoke(channels.call, { id, call, input }) as Promise<ReplyEnvelope>,
  onEvent: (listener: (event: EventEnvelope) => void) => {
    const forward = (_event: IpcRendererEvent, payload: EventEnvelope): void => listener(payload);
    ipcRenderer.on(channels.event, forward);
    return () => void ipcRenderer.removeListener(channels.event, forward);
  },
});

contextBridge.exposeInMainWorld('tessera', bridge);

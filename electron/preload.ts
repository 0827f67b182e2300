import { contextBridge, ipcRenderer, webUtils, type IpcRendererEvent } from 'electron';
import type { CallEnvelope, EventEnvelope, PickedFile, PreloadBridge, ReplyEnvelope } from '../src/contract/index.ts';
import { channels } from './channels.ts';

// The page gets these three functions and nothing of ipcRenderer: no channel names, no event objects with a sender.
const bridge: PreloadBridge = Object.freeze({
  call: ({ id, call, input }: CallEnvelope) =>
    ipcRenderer.invoke(channels.call, { id, call, input }) as Promise<ReplyEnvelope>,
  onEvent: (listener: (event: EventEnvelope) => void) => {
    const forward = (_event: IpcRendererEvent, payload: EventEnvelope): void => listener(payload);
    ipcRenderer.on(channels.event, forward);
    return () => void ipcRenderer.removeListener(channels.event, forward);
  },
  // A file that the page made up has no path; one that the user let fall on the window has the system's.
  pickDropped: (file: File) =>
    ipcRenderer.invoke(channels.drop, webUtils.getPathForFile(file)) as Promise<PickedFile | null>,
});

contextBridge.exposeInMainWorld('tessera', bridge);

import type { IpcMain, IpcMainInvokeEvent, WebContents } from 'electron';
import type { Logger } from '../src/base/log.ts';
import type { ReplyEnvelope } from '../src/contract/index.ts';
import type { Bridge } from '../src/node/bridge/bridge.ts';
import { isOurs } from './app-protocol.ts';
import { channels } from './channels.ts';

export interface IpcOptions {
  readonly ipcMain: IpcMain;
  readonly bridge: Bridge;
  /** The windows that get events. */
  readonly contents: () => readonly WebContents[];
  readonly log: Logger;
}

/** Binds the contract to the windows: one channel for calls, one for events. Returns a function that unbinds. */
export function bindIpc({ ipcMain, bridge, contents, log }: IpcOptions): () => void {
  ipcMain.handle(channels.call, (event, envelope: unknown): Promise<ReplyEnvelope> => {
    if (!isTrusted(event)) {
      log.log('warn', 'ipc.foreign-sender');
      return Promise.reject(new Error('refused'));
    }
    return bridge.handle(envelope);
  });
  const unsubscribe = bridge.subscribe((event) => {
    for (const target of contents()) {
      if (!target.isDestroyed() && isOurs(target.getURL())) target.send(channels.event, event);
    }
  });
  return () => {
    unsubscribe();
    ipcMain.removeHandler(channels.call);
  };
}

/** Only the top frame of a window of ours, with the screens in it, may call. A frame that is gone has no identity. */
export function isTrusted({ sender, senderFrame }: IpcMainInvokeEvent): boolean {
  return senderFrame !== null && senderFrame === sender.mainFrame && isOurs(senderFrame.url);
}

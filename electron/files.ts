import { BrowserWindow, dialog, shell, type IpcMain } from 'electron';
import type { Logger } from '../src/base/log.ts';
import { describeError } from '../src/base/errors.ts';
import type { PickedFile } from '../src/contract/index.ts';
import type { FileShell } from '../src/node/bridge/file-desk.ts';
import { PickedFiles } from '../src/node/bridge/picked-files.ts';
import { channels } from './channels.ts';
import { isTrusted } from './ipc.ts';

/** Files of the desktop: chosen in the system's dialog or let fall on a window, known to the screens by tokens only. */
export function desktopFiles(): FileShell {
  const picked = new PickedFiles();
  return {
    choose: 'dialog',
    picked,
    async chooseFile() {
      const [window] = BrowserWindow.getAllWindows();
      const options = { properties: ['openFile' as const] };
      const chosen = await (window === undefined
        ? dialog.showOpenDialog(options)
        : dialog.showOpenDialog(window, options));
      const [path] = chosen.canceled ? [] : chosen.filePaths;
      return path === undefined ? undefined : picked.add(path);
    },
    async chooseSave(name) {
      const [window] = BrowserWindow.getAllWindows();
      const options = { defaultPath: name };
      const chosen = await (window === undefined
        ? dialog.showSaveDialog(options)
        : dialog.showSaveDialog(window, options));
      return chosen.canceled || chosen.filePath === '' ? undefined : chosen.filePath;
    },
    showFile: (path) => shell.showItemInFolder(path),
  };
}

/** Takes the paths of dropped files from the preload script, which has them from the system and not from the page. */
export function bindDrops(ipcMain: IpcMain, files: FileShell, log: Logger): void {
  ipcMain.handle(channels.drop, async (event, path: unknown): Promise<PickedFile | null> => {
    if (!isTrusted(event) || typeof path !== 'string' || path === '') return null;
    try {
      return await files.picked.add(path);
    } catch (error) {
      log.log('info', 'files.drop-refused', { reason: describeError(error) });
      return null;
    }
  });
}

import { BrowserWindow, type Session, type WebContents } from 'electron';
import { isOurs, screensUrl } from './app-protocol.ts';

export interface WindowOptions {
  /** Path of the bundled preload script. */
  readonly preload: string;
  /** Only while developing. */
  readonly hasDevTools: boolean;
}

/** The one kind of window there is: sandboxed, isolated, with the screens in it and no way to anything else. */
export function openWindow({ preload, hasDevTools }: WindowOptions): BrowserWindow {
  const window = new BrowserWindow({
    width: 1120,
    height: 760,
    minWidth: 380,
    minHeight: 480,
    title: 'Tessera',
    show: false,
    webPreferences: {
      preload,
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      nodeIntegrationInWorker: false,
      nodeIntegrationInSubFrames: false,
      webSecurity: true,
      allowRunningInsecureContent: false,
      webviewTag: false,
      navigateOnDragDrop: false,
      // The dictionaries would be fetched from a server of somebody else.
      spellcheck: false,
      devTools: hasDevTools,
    },
  });
  window.once('ready-to-show', () => window.show());
  void window.loadURL(screensUrl);
  return window;
}

/** Refuses every way out of a page: navigation, new windows, embedded pages. To be called for all contents ever made. */
export function confineContents(contents: WebContents): void {
  const deny = (event: { preventDefault(): void }): void => event.preventDefault();
  contents.on('will-navigate', (event) => {
    if (!isOurs(event.url)) deny(event);
  });
  contents.on('will-frame-navigate', (event) => {
    if (!event.isMainFrame || !isOurs(event.url)) deny(event);
  });
  contents.on('will-redirect', deny);
  contents.on('will-attach-webview', deny);
  contents.setWindowOpenHandler(() => ({ action: 'deny' }));
}

/** Refuses permissions, devices, downloads and every request that is not for the screens. */
export function confineSession(session: Session): void {
  session.setPermissionRequestHandler((_contents, _permission, answer) => answer(false));
  session.setPermissionCheckHandler(() => false);
  session.setDevicePermissionHandler(() => false);
  session.on('will-download', (event) => event.preventDefault());
  session.webRequest.onBeforeRequest((details, answer) => {
    // Previews are pictures that the page itself holds, under addresses inside its own.
    const url = details.url.replace(/^blob:/, '');
    answer({ cancel: !isOurs(url) && !url.startsWith('devtools://') });
  });
}

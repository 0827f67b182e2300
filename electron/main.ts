import { app, BrowserWindow, dialog, ipcMain, Menu, protocol, session } from 'electron';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { describeError } from '../src/base/errors.ts';
import { readUeConfig } from '../src/cli/ue-config.ts';
import type { Account } from '../src/engine/account.ts';
import { Engine } from '../src/engine/engine.ts';
import type { Store } from '../src/engine/store/index.ts';
import { createAccountHost } from '../src/node/bridge/account-host.ts';
import type { HostProfile } from '../src/node/bridge/host-profile.ts';
import { createBridge } from '../src/node/bridge/bridge.ts';
import { createEnginePorts } from '../src/node/create-engine-ports.ts';
import { createJsonLogger } from '../src/node/json-logger.ts';
import { localAddressTowards } from '../src/node/local-address.ts';
import { createServerPinFile } from '../src/node/sip/server-pins.ts';
import { loadPages } from '../src/node/screens/pages.ts';
import { Accounts, type LoadedAccounts } from './accounts.ts';
import { declareScheme, serveScreens } from './app-protocol.ts';
import { bindDrops, desktopFiles } from './files.ts';
import { bindIpc } from './ipc.ts';
import { Keychain } from './keychain.ts';
import { menuTemplate } from './menu.ts';
import { gateMessages } from './message-store.ts';
import { ticketStorage } from './ticket-storage.ts';
import { confineContents, confineSession, openWindow } from './window.ts';

const here = import.meta.dirname;
const log = createJsonLogger((line) => process.stderr.write(line));

declareScheme(protocol);
app.enableSandbox();
app.on('web-contents-created', (_event, contents) => confineContents(contents));

if (app.requestSingleInstanceLock()) {
  app
    .whenReady()
    .then(run)
    .catch((error: unknown) => {
      log.log('error', 'app.start-failed', { reason: describeError(error) });
      dialog.showErrorBox('Tessera cannot start', describeError(error));
      app.exit(1);
    });
} else {
  app.quit();
}

async function run(): Promise<void> {
  const pages = await loadPages(join(here, '..', 'renderer'));
  confineSession(session.defaultSession);
  serveScreens(session.defaultSession.protocol, pages);
  Menu.setApplicationMenu(Menu.buildFromTemplate(menuTemplate(process.platform)));

  const keychain = new Keychain();
  const accounts = new Accounts(join(app.getPath('userData'), 'accounts.json'), keychain);
  const importFile = importArgument();
  if (importFile !== undefined) await accounts.add(await readUeConfig(importFile));
  const loaded = await accounts.load();
  const files = desktopFiles();
  const running: Running[] = [];
  const gate = gateMessages({
    dataFolder: app.getPath('userData'),
    secrets: keychain,
    log,
    async start({ store }, storage) {
      const started = await startEngines(loaded, keychain, store);
      running.push({ engines: started.engines, store });
      for (const account of started.hosted) void account.register();
      return createAccountHost(started.hosted, { files, storage, ...started.shared });
    },
  });
  const bridge = createBridge({ host: gate.host, log });
  bindDrops(ipcMain, files, log);
  bindIpc({ ipcMain, bridge, log, contents: () => BrowserWindow.getAllWindows().map((window) => window.webContents) });
  const open = () => openWindow({ preload: join(here, 'preload.cjs'), hasDevTools: !app.isPackaged });
  open();
  await gate.begin();

  app.on('second-instance', () => showWindow(open));
  app.on('activate', () => showWindow(open));
  app.on('window-all-closed', () => app.quit());
  stopBeforeQuit(running);
  await tellProblems(loaded, keychain);
}

interface Running {
  readonly engines: readonly Engine[];
  readonly store: Store;
}

/** One engine for each account: accounts of different networks are reached from different addresses of this machine. */
async function startEngines({ ready }: LoadedAccounts, keychain: Keychain, store: Store) {
  const receivedFolder = join(app.getPath('downloads'), 'Tessera');
  const simDirectory = join(app.getPath('userData'), 'sim-state');
  const serverPins = createServerPinFile(join(app.getPath('userData'), 'servers.json'));
  const engines: Engine[] = [];
  const hosted: Account[] = [];
  const engineOf = new Map<string, Engine>();
  for (const { config, secrets } of ready) {
    const host = await localAddressTowards(config.server.host);
    const engine = new Engine(
      await createEnginePorts({
        log,
        host,
        media: config.media ?? {},
        simDirectory,
        receivedFolder,
        secrets: keychain,
        store,
        serverPins,
      }),
    );
    engineOf.set(config.id, engine);
    engines.push(engine);
    const storage = await ticketStorage(app.getPath('userData'), config.identity, keychain);
    hosted.push(engine.addAccount(config, secrets, storage));
  }
  const [first] = engines;
  const profile: HostProfile | undefined = first && {
    store,
    people: first.people,
    acceptServerCertificate: async (id, sha256) => engineOf.get(id)?.acceptServerCertificate(id, sha256),
  };
  return { engines, hosted, shared: profile === undefined ? {} : { profile } };
}

function importArgument(): string | undefined {
  const { values } = parseArgs({ options: { import: { type: 'string' } }, strict: false });
  return typeof values.import === 'string' ? values.import : undefined;
}

function showWindow(open: () => BrowserWindow): void {
  const window = BrowserWindow.getAllWindows()[0] ?? open();
  if (window.isMinimized()) window.restore();
  window.focus();
}

/** Sessions are ended and accounts unregistered before the process goes; the engine bounds how long that takes. */
function stopBeforeQuit(running: readonly Running[]): void {
  let hasStopped = false;
  app.on('before-quit', (event) => {
    if (hasStopped) return;
    event.preventDefault();
    const stopped = running.map(({ engines, store }) =>
      Promise.all(engines.map((engine) => engine.stop())).finally(() => store.close()),
    );
    void Promise.all(stopped).finally(() => {
      hasStopped = true;
      app.quit();
    });
  });
}

async function tellProblems({ withoutSecrets }: LoadedAccounts, keychain: Keychain): Promise<void> {
  const health = await keychain.health();
  const problems = [
    ...(health.usable
      ? []
      : [
          `The keychain of this system cannot be used (${health.reason}). ` +
            'Passwords and keys are kept in memory until Tessera ends, and have to be imported again then.',
        ]),
    ...withoutSecrets.map(
      (identity) => `The password or key of ${identity} is not in the keychain. Start Tessera with --import again.`,
    ),
  ];
  if (problems.length === 0) return;
  log.log('warn', 'app.secrets-missing', { keychain: health.usable, accounts: withoutSecrets.length });
  await dialog.showMessageBox({ type: 'warning', title: 'Tessera', message: problems.join('\n\n') });
}

import type { Logger } from '../base/log.ts';
import { secureRandom } from '../crypto/random.ts';
import type { FileStorage } from '../engine/files/file-storage.ts';
import type { EnginePorts, SecretStore, ServerPins } from '../engine/ports.ts';
import type { Store } from '../engine/store/index.ts';
import { StoreError } from '../engine/store/index.ts';
import { attachmentKey, createSealedStorage } from './attachments/index.ts';
import { createFileStorage } from './files/file-storage.ts';
import { createHttpsBootstrapping } from './bootstrapping.ts';
import { createHttpsKeyManagement } from './key-management.ts';
import { createNodeMsrpSockets, type MediaSettings } from './msrp-sockets.ts';
import { createSimStateFiles } from './sim-state.ts';
import { createNetworkWatch } from './network-watch.ts';
import { createNodeSipTransport } from './sip/transport.ts';
import { systemClock } from './system-clock.ts';

export interface EnginePortsOptions {
  readonly log: Logger;
  /** Address on which sessions are listened for while the address towards the SIP server is not known. */
  readonly host?: string;
  readonly media?: MediaSettings;
  /** Where received files go; without it no files are sent or taken. */
  readonly receivedFolder?: string;
  /** `sealed`: received files are encrypted, under a key in the store, which has to be encrypted too. Default: `plain`. */
  readonly keepFiles?: 'plain' | 'sealed';
  /** Where the certificate of this device is kept. */
  readonly secrets?: SecretStore;
  /** Where the sequence numbers of software SIMs are kept; without it there are no accounts with a SIM. */
  readonly simDirectory?: string;
  /** Remembered certificates of servers; without it no account can trust one because it was met before. */
  readonly serverPins?: ServerPins;
  /** Where messages outlive the program (src/node/store); in memory without it. Whoever opened it closes it. */
  readonly store?: Store;
}

/**
 * What the engine needs from a real machine: the same for the desktop app, the scriptable UE and the lab.
 * @throws StoreError `key-missing` when files are to be sealed, and no encrypted store holds a key for them
 */
export async function createEnginePorts({
  log,
  host = '127.0.0.1',
  media = {},
  receivedFolder,
  keepFiles = 'plain',
  simDirectory,
  secrets,
  serverPins,
  store,
}: EnginePortsOptions): Promise<EnginePorts> {
  return {
    clock: systemClock,
    random: secureRandom,
    log,
    sip: createNodeSipTransport(serverPins === undefined ? {} : { pins: serverPins }),
    network: createNetworkWatch({ clock: systemClock }),
    ...(serverPins === undefined ? {} : { serverPins }),
    msrp: await createNodeMsrpSockets({ host, media, clock: systemClock }),
    keyManagement: createHttpsKeyManagement(),
    ...(receivedFolder === undefined
      ? {}
      : {
          files:
            keepFiles === 'sealed' ? await sealedStorage(receivedFolder, store) : createFileStorage(receivedFolder),
        }),
    ...(secrets === undefined ? {} : { secrets }),
    bootstrapping: createHttpsBootstrapping(),
    ...(store === undefined ? {} : { store }),
    ...(simDirectory === undefined ? {} : { simState: createSimStateFiles(simDirectory) }),
  };
}

/** Not sealed at all would be weaker than what the user asked for. */
async function sealedStorage(folder: string, store: Store | undefined): Promise<FileStorage> {
  const key = store && (await attachmentKey(store));
  if (key === undefined) {
    throw new StoreError(
      'key-missing',
      'received files are to be encrypted, and there is no encrypted store for their key',
    );
  }
  return createSealedStorage(folder, key);
}

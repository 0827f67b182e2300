import type { Logger } from '../base/log.ts';
import { secureRandom } from '../crypto/random.ts';
import type { EnginePorts, SecretStore, ServerPins } from '../engine/ports.ts';
import type { Store } from '../engine/store/index.ts';
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
  /** Where the certificate of this device is kept. */
  readonly secrets?: SecretStore;
  /** Where the sequence numbers of software SIMs are kept; without it there are no accounts with a SIM. */
  readonly simDirectory?: string;
  /** Remembered certificates of servers; without it no account can trust one because it was met before. */
  readonly serverPins?: ServerPins;
  /** Where messages outlive the program (src/node/store); in memory without it. Whoever opened it closes it. */
  readonly store?: Store;
}

/** What the engine needs from a real machine: the same for the desktop app, the scriptable UE and the lab. */
export async function createEnginePorts({
  log,
  host = '127.0.0.1',
  media = {},
  receivedFolder,
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
    ...(receivedFolder === undefined ? {} : { files: createFileStorage(receivedFolder) }),
    ...(secrets === undefined ? {} : { secrets }),
    bootstrapping: createHttpsBootstrapping(),
    ...(store === undefined ? {} : { store }),
    ...(simDirectory === undefined ? {} : { simState: createSimStateFiles(simDirectory) }),
  };
}

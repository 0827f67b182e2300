import { join } from 'node:path';
import { silentLogger } from '../base/log.ts';
import { secureRandom } from '../crypto/random.ts';
import { LabAuthenticationCentre } from './authentication-centre.ts';
import { Captures } from './captures.ts';
import type { Edge } from './edge/edge.ts';
import { MemoryMessageStore } from './edge/message-store.ts';
import type { LabFaults } from './faults.ts';
import { KeptMessageStore } from './kept-message-store.ts';
import { startKeyServers, type KeyServers } from './key-servers.ts';
import type { Lab, LabOptions } from './lab-options.ts';
import { startNetwork, type Network, type NetworkSetup } from './network.ts';
import { recordingFolder } from './recording-folder.ts';
import { saveUser } from './saved-user.ts';
import { createLabState, readLabState, writeLabState, type LabState } from './state.ts';
import { Timers } from './timers.ts';
import { createUeConfig } from './ue-config.ts';
import { createUsers, type LabUser } from './users.ts';
import { WireRecorder } from './wire-recorder.ts';

export type { Lab, LabOptions } from './lab-options.ts';

const domain = 'lab.test';
const listService = `sip:list@${domain}`;

/** Starts registrar, proxy, IMS-ALG with access gateway, KMS and BSF on loopback. Rejects when a port is taken. */
export async function startLab(options: LabOptions = {}): Promise<Lab> {
  const now = Date.now();
  const log = options.log ?? silentLogger;
  const folder = options.stateDirectory;
  const before = folder === undefined ? await createLabState(domain, now) : await readLabState(folder, domain, now);
  const users = createUsers(options.users ?? ['alice', 'bob', 'carol'], domain, secureRandom, {
    ...options,
    known: before.users,
  });
  const state = withUsers(before, users);
  // Before the KMS gets to know the users: killed in between, both would hold other keys.
  if (folder !== undefined) await writeLabState(folder, state);
  const faults: LabFaults = { ...options.faults };
  const sink = options.recordDirectory === undefined ? undefined : recordingFolder(options.recordDirectory);
  const recorder = new WireRecorder(options.record === false ? 0 : undefined, sink);
  const centre = new LabAuthenticationCentre(faults, secureRandom);
  const keyServers = await startKeyServers({
    domain,
    users,
    centre,
    caPem: state.caPem,
    certificates: state.certificates,
    faults,
    recorder,
    log,
    ports: {
      kms: chosen(options.ports?.kms, state.ports.kms),
      bsf: chosen(options.ports?.bsf, state.ports.bsf),
    },
    withBsf: options.bsf ?? true,
    ...(folder === undefined ? {} : { stateDirectory: folder }),
  });
  const timers = new Timers();
  const messages =
    folder === undefined ? new MemoryMessageStore() : new KeptMessageStore(join(folder, 'waiting-messages.db'));
  const setup: NetworkSetup = {
    domain,
    options,
    users,
    centre,
    faults,
    recorder,
    log,
    timers,
    captures: new Captures(),
    replays: [],
    messages,
    certificate: state.certificates.sip,
    ports: state.edges,
    listService,
    now,
  };
  try {
    const network = await startNetwork(setup);
    if (folder !== undefined) await writeLabState(folder, withPorts(state, network, keyServers));
    return createLab(setup, state.caPem, network, keyServers);
  } catch (error) {
    timers.stop();
    messages.close();
    await keyServers.stop();
    throw error;
  }
}

/** The port that was asked for, else that of an earlier run, else a free one. */
function chosen(asked: number | undefined, kept: number | undefined): number {
  return asked === undefined || asked === 0 ? (kept ?? 0) : asked;
}

/** Users who are not named this time stay known. */
function withUsers(before: LabState, users: ReadonlyMap<string, LabUser>): LabState {
  const others = before.users.filter(({ name }) => !users.has(name));
  return { ...before, users: [...[...users.values()].map(saveUser), ...others] };
}

function withPorts(before: LabState, { edges }: Network, { kms, bsf }: KeyServers): LabState {
  const portOf = (url: string): number => Number(new URL(url).port);
  return {
    ...before,
    edges: [
      ...edges.map(({ addresses: { tcp, tls, ws, wss } }) => ({
        tcp: tcp.port,
        tls: tls.port,
        ws: ws.port,
        wss: wss.port,
      })),
      ...before.edges.slice(edges.length),
    ],
    ports: { ...before.ports, kms: portOf(kms.url), ...(bsf === undefined ? {} : { bsf: portOf(bsf.url) }) },
  };
}

function createLab(setup: NetworkSetup, caPem: string, network: Network, keyServers: KeyServers): Lab {
  const { users, faults, recorder, captures, replays, timers, messages } = setup;
  const { alg, core, edges, registrar } = network;
  const [first] = edges;
  if (first === undefined) throw new RangeError('a lab has an edge');
  const sip = first.addresses;
  const { kms, bsf } = keyServers;
  const kmsFacts = { url: kms.url, identity: kms.identity, serverName: kms.name };
  const userNamed = (name: string) => users.get(name) ?? missing(`no such user: ${name}`);
  const edgeAt = (index: number): Edge => edges[index] ?? missing(`no such edge: ${index}`);
  return {
    domain,
    caPem,
    sip,
    edges: edges.map(({ addresses }) => addresses),
    listService,
    kms: kmsFacts,
    bsf,
    users: [...users.values()],
    recorder,
    faults,
    captured: captures.messages,
    ueConfig: (userName, overrides) =>
      createUeConfig(userNamed(userName), { domain, caPem, sip, kms: kmsFacts, bsf }, overrides),
    nextMessageBody: () => captures.nextMessageBody(),
    replays: () => [...replays],
    cutMedia: () => alg.cut(),
    cutLinks: () => edges.reduce((count, edge) => count + edge.cut(), 0),
    deregister: (userName, why, retryAfterSeconds) => registrar.deregister(userNamed(userName), why, retryAfterSeconds),
    stopEdge: (index) => edgeAt(index).stop(),
    startEdge: (index) => edgeAt(index).start(),
    stopKms: () => kms.closePort(),
    startKms: () => kms.openPort(),
    load: () => ({
      flows: edges.reduce((count, edge) => count + edge.flowCount, 0),
      dialogs: core.proxy.openDialogs,
      mediaStreams: alg.openStreams,
    }),
    async stop() {
      timers.stop();
      await Promise.all([network.stop(), keyServers.stop()]);
      messages.close();
    },
  };
}

function missing(problem: string): never {
  throw new RangeError(problem);
}

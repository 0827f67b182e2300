import type { Logger } from '../base/log.ts';
import { createDeviceCertificate, type DeviceCertificate } from '../crypto/certificate.ts';
import { createNodeMsrpSockets } from '../node/msrp-sockets.ts';
import type { LabAuthenticationCentre } from './authentication-centre.ts';
import type { Captures } from './captures.ts';
import { defaultDigestOptions } from './edge/authentication.ts';
import { Core } from './edge/core.ts';
import { Edge } from './edge/edge.ts';
import { defaultForwardingTimes } from './edge/forwarding.ts';
import type { ForwardingTools, RequestService } from './edge/forwarding-tools.ts';
import type { MessageStore } from './edge/message-store.ts';
import { Registrar } from './edge/registrar.ts';
import { defaultUdpTimes } from './edge/udp-transactions.ts';
import { PresenceServer } from './events/presence-server.ts';
import { RegistrationEvents } from './events/registration-events.ts';
import type { LabFaults } from './faults.ts';
import { portsOf, type LabOptions } from './lab-options.ts';
import { ListService } from './list/list-service.ts';
import { ImsAlg } from './media/ims-alg.ts';
import { LabRoom } from './room/room.ts';
import { LabRooms } from './room/rooms.ts';
import type { EdgePorts, IssuedCertificate } from './state.ts';
import type { Timers } from './timers.ts';
import type { LabUser } from './users.ts';
import type { WireRecorder } from './wire-recorder.ts';

export interface NetworkSetup {
  readonly domain: string;
  readonly options: LabOptions;
  readonly users: ReadonlyMap<string, LabUser>;
  readonly centre: LabAuthenticationCentre;
  readonly faults: LabFaults;
  readonly recorder: WireRecorder;
  readonly log: Logger;
  readonly timers: Timers;
  readonly captures: Captures;
  /** Gets the statuses of replayed messages. */
  readonly replays: number[];
  readonly messages: MessageStore;
  readonly certificate: IssuedCertificate;
  /** Of an earlier run. */
  readonly ports: readonly EdgePorts[];
  readonly listService: string;
  readonly now: number;
}

/** The signalling network with its access gateway. */
export interface Network {
  readonly alg: ImsAlg;
  readonly registrar: Registrar;
  readonly core: Core;
  readonly edges: readonly Edge[];
  stop(): Promise<void>;
}

const mediaConnectDeadline = 30_000;
const defaultFlowTimerSeconds = 120;

/** Starts edges, registrar, proxy and what stands beside it. Rejects when a port is taken; then nothing is left open. */
export async function startNetwork(setup: NetworkSetup): Promise<Network> {
  const { domain, options, users, centre, faults, recorder, log, timers, captures, replays, messages, now } = setup;
  const certificate = await createDeviceCertificate({ commonName: `agw.${domain}`, now });
  const decoy = await createDeviceCertificate({ commonName: `agw.${domain}`, now });
  const alg = new ImsAlg({
    certificate,
    decoyFingerprint: decoy.sha256,
    faults,
    recorder,
    log,
    timers,
    connectDeadline: mediaConnectDeadline,
  });
  const rooms = await openRooms(options.rooms ?? [], domain, certificate);
  const registrar = new Registrar({
    domain,
    users,
    timers,
    authenticationCentre: centre,
    akaAlgorithm: options.akaAlgorithm ?? 'AKAv1-MD5',
    digest: { ...defaultDigestOptions, ...options.digest },
    flowTimerSeconds: options.flowTimerSeconds ?? defaultFlowTimerSeconds,
  });
  const core = new Core({
    domain,
    registrar,
    alg,
    faults,
    timers,
    times: { ...defaultForwardingTimes, ...options.times },
    capture: (message) => captures.add(message),
    replayed: (status) => replays.push(status),
    messages,
    copiesSentMessages: options.copySentMessages ?? false,
    services: (tools) => servicesOf(tools, rooms, setup.listService),
  });
  const edges = await startEdges(setup, core);
  return {
    alg,
    registrar,
    core,
    edges,
    async stop() {
      alg.stop();
      core.stop();
      await Promise.all(edges.map((edge) => edge.stop()));
    },
  };
}

function servicesOf(tools: ForwardingTools, rooms: LabRooms, listService: string): RequestService[] {
  return [
    rooms,
    new RegistrationEvents(tools),
    new PresenceServer(tools),
    new ListService({ uri: listService, tools }),
  ];
}

async function startEdges(setup: NetworkSetup, core: Core): Promise<readonly Edge[]> {
  const { options, certificate, recorder, log, faults, timers, ports } = setup;
  const edges: Edge[] = [];
  try {
    for (let index = 0; index < (options.edges ?? 1); index++) {
      const edge = await Edge.start({
        ...certificate,
        index,
        recorder,
        log,
        faults,
        timers,
        udpTimes: options.udpTimes ?? defaultUdpTimes,
        ports: portsOf(options, ports, index),
        handlers: core,
      });
      edges.push(edge);
    }
    return edges;
  } catch (error) {
    await Promise.all(edges.map((edge) => edge.stop()));
    throw error;
  }
}

async function openRooms(names: readonly string[], domain: string, certificate: DeviceCertificate): Promise<LabRooms> {
  const rooms = new LabRooms();
  if (names.length === 0) return rooms;
  const sockets = await createNodeMsrpSockets();
  for (const name of names) rooms.add(name, new LabRoom({ uri: `sip:${name}@${domain}`, sockets, certificate }));
  return rooms;
}

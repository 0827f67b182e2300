import { silentLogger, type Logger } from '../base/log.ts';
import { createCertificateAuthority } from '../crypto/certificate-authority.ts';
import { createDeviceCertificate, type DeviceCertificate } from '../crypto/certificate.ts';
import { secureRandom } from '../crypto/random.ts';
import type { SocketAddress } from '../engine/ports.ts';
import type { SipMessage } from '../protocol/sip/message.ts';
import type { AkaDigestAlgorithm, MilenageKeys } from '../protocol/gba/index.ts';
import { LabAuthenticationCentre } from './authentication-centre.ts';
import { Captures, type CapturedBody } from './captures.ts';
import { createNodeMsrpSockets } from '../node/msrp-sockets.ts';
import { Edge } from './edge/edge.ts';
import type { Flow } from './edge/flow.ts';
import { defaultForwardingTimes, type ForwardingTimes } from './edge/forwarding.ts';
import { Registrar } from './edge/registrar.ts';
import type { LabFaults } from './faults.ts';
import type { LabBsf } from './bsf/start-bsf.ts';
import { startKeyServers, type KeyServers } from './key-servers.ts';
import { ImsAlg } from './media/ims-alg.ts';
import { LabRoom } from './room/room.ts';
import { LabRooms } from './room/rooms.ts';
import { Timers } from './timers.ts';
import { createUeConfig, type KmsFacts, type LabUeConfig, type UeConfigOverrides } from './ue-config.ts';
import { createUsers, type LabUser } from './users.ts';
import { WireRecorder } from './wire-recorder.ts';

export interface LabOptions {
  /** User names; alice, bob and carol unless said. */
  readonly users?: readonly string[];
  /** Users who register with their SIM instead of a password. */
  readonly authentication?: Readonly<Record<string, LabUser['authentication']>>;
  /** SIMs that exist already, by user name; the others get fresh keys. */
  readonly sims?: Readonly<Record<string, MilenageKeys>>;
  /** How the registrar challenges SIMs; AKAv1-MD5 unless said. */
  readonly akaAlgorithm?: AkaDigestAlgorithm;
  /** False starts no bootstrapping server: keys for the KMS are then given by hand only. */
  readonly bsf?: boolean;
  /** Names of chat rooms; none unless said. */
  readonly rooms?: readonly string[];
  /** False records no octets. */
  readonly record?: boolean;
  readonly faults?: LabFaults;
  readonly log?: Logger;
  /** Ports on 127.0.0.1; a free one for each that is not given. */
  readonly ports?: { readonly sipTls?: number; readonly sipTcp?: number; readonly kms?: number; readonly bsf?: number };
  /** Shorter times for tests. */
  readonly times?: Partial<ForwardingTimes>;
}

/** An IMS in a box. What it is not: src/lab/README.md. */
export interface Lab {
  readonly domain: 'lab.test';
  /** Trust this for SIP over TLS, for the KMS and for the BSF. */
  readonly caPem: string;
  readonly sip: { readonly tls: SocketAddress; readonly tcp: SocketAddress };
  readonly kms: KmsFacts;
  /** Where UEs bootstrap the key of the KMS; undefined for a lab without. */
  readonly bsf: LabBsf | undefined;
  readonly users: readonly LabUser[];
  readonly recorder: WireRecorder;
  /** Switches that take effect at once. */
  readonly faults: LabFaults;
  /** MESSAGEs, INVITEs and answers to INVITEs as they reached the edge, the newest 256. */
  readonly captured: readonly SipMessage[];
  /** @throws RangeError for somebody who is no user. */
  ueConfig(userName: string, overrides?: UeConfigOverrides): LabUeConfig;
  /** The body of the next MESSAGE that reaches the edge. */
  nextMessageBody(): Promise<CapturedBody>;
  /** Statuses with which UEs answered what `faults.replayMessages` sent them, since the start. */
  replays(): readonly number[];
  /** What is open right now. */
  load(): { readonly flows: number; readonly dialogs: number; readonly mediaStreams: number };
  /** Breaks the MSRP connections that are open right now; returns of how many sessions. */
  cutMedia(): number;
  stop(): Promise<void>;
}

const domain = 'lab.test';
const mediaConnectDeadline = 30_000;

/** Starts registrar, proxy, IMS-ALG with access gateway, KMS and BSF on loopback. Rejects when a port is taken. */
export async function startLab(options: LabOptions = {}): Promise<Lab> {
  const now = Date.now();
  const log = options.log ?? silentLogger;
  const names = options.users ?? ['alice', 'bob', 'carol'];
  const users = createUsers(names, domain, secureRandom, options);
  const faults: LabFaults = { ...options.faults };
  const recorder = new WireRecorder(options.record === false ? 0 : undefined);
  const authority = await createCertificateAuthority({ commonName: 'Tessera lab CA', now });
  const centre = new LabAuthenticationCentre(faults, secureRandom);
  const server = await authority.issue({ dnsNames: [domain, 'localhost'], ipAddresses: ['127.0.0.1'] });
  const keyServers = await startKeyServers({
    domain,
    users,
    centre,
    authority,
    faults,
    recorder,
    log,
    ports: { kms: options.ports?.kms ?? 0, bsf: options.ports?.bsf ?? 0 },
    withBsf: options.bsf ?? true,
  });
  const parts: Parts = { keyServers, timers: new Timers(), captures: new Captures(), replays: [] };
  try {
    const { alg, edge, rooms } = await startEdge(options, { users, centre, faults, recorder, log, server, now }, parts);
    return createLab({ users, faults, recorder, caPem: authority.certificatePem }, parts, alg, edge, rooms);
  } catch (error) {
    parts.timers.stop();
    await keyServers.stop();
    throw error;
  }
}

interface Parts {
  readonly keyServers: KeyServers;
  readonly timers: Timers;
  readonly captures: Captures;
  readonly replays: number[];
}

interface EdgeSetup {
  readonly users: ReadonlyMap<string, LabUser>;
  readonly centre: LabAuthenticationCentre;
  readonly faults: LabFaults;
  readonly recorder: WireRecorder;
  readonly log: Logger;
  readonly server: { readonly certificatePem: string; readonly privateKeyPem: string };
  readonly now: number;
}

async function startEdge(
  options: LabOptions,
  { users, centre, faults, recorder, log, server, now }: EdgeSetup,
  { timers, captures, replays }: Parts,
): Promise<{ alg: ImsAlg; edge: Edge; rooms: LabRooms }> {
  const certificate = await createDeviceCertificate({ commonName: `agw.${domain}`, now });
  const decoy = await createDeviceCertificate({ commonName: `agw.${domain}`, now });
  const rooms = new LabRooms();
  const alg = new ImsAlg({
    certificate,
    decoyFingerprint: decoy.sha256,
    faults,
    recorder,
    log,
    timers,
    connectDeadline: mediaConnectDeadline,
  });
  const registrar = new Registrar({
    domain,
    users,
    timers,
    authenticationCentre: centre,
    akaAlgorithm: options.akaAlgorithm ?? 'AKAv1-MD5',
    serviceRoute: (flow) => edge.routeOf(flow),
  });
  const edge = await Edge.start({
    domain,
    registrar,
    alg,
    faults,
    timers,
    recorder,
    log,
    times: { ...defaultForwardingTimes, ...options.times },
    ...server,
    tlsPort: options.ports?.sipTls ?? 0,
    tcpPort: options.ports?.sipTcp ?? 0,
    capture: (message) => captures.add(message),
    replayed: (status) => replays.push(status),
    rooms,
  });
  if (options.rooms !== undefined) await openRooms(options.rooms, rooms, edge, certificate);
  return { alg, edge, rooms };
}

async function openRooms(
  names: readonly string[],
  rooms: LabRooms,
  edge: Edge,
  certificate: DeviceCertificate,
): Promise<void> {
  const sockets = await createNodeMsrpSockets();
  const addressOf = (flow: Flow): SocketAddress => (flow.transport === 'tls' ? edge.tls : edge.tcp);
  for (const name of names) {
    rooms.add(name, new LabRoom({ uri: `sip:${name}@${domain}`, sockets, certificate, addressOf }));
  }
}

function createLab(
  facts: Pick<EdgeSetup, 'users' | 'faults' | 'recorder'> & { readonly caPem: string },
  { keyServers, timers, captures, replays }: Parts,
  alg: ImsAlg,
  edge: Edge,
  rooms: LabRooms,
): Lab {
  const { users, faults, recorder, caPem } = facts;
  const sip = { tls: edge.tls, tcp: edge.tcp };
  const { kms, bsf } = keyServers;
  const kmsFacts = { url: kms.url, identity: kms.identity, serverName: kms.name };
  return {
    domain,
    caPem,
    sip,
    kms: kmsFacts,
    bsf,
    users: [...users.values()],
    recorder,
    faults,
    captured: captures.messages,
    ueConfig(userName, overrides) {
      const user = users.get(userName);
      if (user === undefined) throw new RangeError(`no such user: ${userName}`);
      return createUeConfig(user, { domain, caPem, sip, kms: kmsFacts, bsf }, overrides);
    },
    nextMessageBody: () => captures.nextMessageBody(),
    replays: () => [...replays],
    cutMedia: () => alg.cut(),
    load: () => ({ flows: edge.flowCount, dialogs: edge.proxy.openDialogs, mediaStreams: alg.openStreams }),
    async stop() {
      timers.stop();
      alg.stop();
      rooms.stop();
      await Promise.all([edge.stop(), keyServers.stop()]);
    },
  };
}

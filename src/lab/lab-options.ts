import type { Logger } from '../base/log.ts';
import type { SipMessage } from '../protocol/sip/message.ts';
import type { AkaDigestAlgorithm, MilenageKeys } from '../protocol/gba/index.ts';
import type { LabBsf } from './bsf/start-bsf.ts';
import type { CapturedBody } from './captures.ts';
import type { DigestOptions } from './edge/authentication.ts';
import type { BindingEnd } from './edge/bindings.ts';
import type { ForwardingTimes } from './edge/forwarding.ts';
import type { EdgeAddresses } from './edge/transports.ts';
import type { UdpTimes } from './edge/udp-transactions.ts';
import type { LabFaults } from './faults.ts';
import type { EdgePorts } from './state.ts';
import type { KmsFacts, LabUeConfig, UeConfigOverrides } from './ue-config.ts';
import type { LabUser } from './users.ts';
import type { WireRecorder } from './wire-recorder.ts';

export interface LabOptions {
  /** User names; alice, bob and carol unless said. */
  readonly users?: readonly string[];
  /** More public identities (`sip:` or `tel:`) of users, by user name. */
  readonly identities?: Readonly<Record<string, readonly string[]>>;
  /** Users who register with their SIM instead of a password. */
  readonly authentication?: Readonly<Record<string, LabUser['authentication']>>;
  /** SIMs that exist already, by user name; the others get fresh keys. */
  readonly sims?: Readonly<Record<string, MilenageKeys>>;
  /** How the registrar challenges SIMs; AKAv1-MD5 unless said. */
  readonly akaAlgorithm?: AkaDigestAlgorithm;
  /** How it challenges users with a password; SHA-256 and MD5, quality of protection `auth`, unless said. */
  readonly digest?: Partial<DigestOptions>;
  /** False starts no bootstrapping server: keys for the KMS are then given by hand only. */
  readonly bsf?: boolean;
  /** Names of chat rooms; none unless said. */
  readonly rooms?: readonly string[];
  /** How many edges stand before the registrar; one unless said. */
  readonly edges?: 1 | 2;
  /** How often a device must be heard on each of its flows (RFC 5626); 120 unless said. */
  readonly flowTimerSeconds?: number;
  /** A user's other devices get a copy of each MESSAGE that one of them sends. */
  readonly copySentMessages?: boolean;
  /** Folder in which the network survives the process; made when it is not there. */
  readonly stateDirectory?: string;
  /** False records no octets. */
  readonly record?: boolean;
  /** Folder into which the record goes too, one file for each stream. */
  readonly recordDirectory?: string;
  readonly faults?: LabFaults;
  readonly log?: Logger;
  /** Ports of the first edge and of the key servers on 127.0.0.1; a free one for each that is not given. */
  readonly ports?: { readonly sipTls?: number; readonly sipTcp?: number; readonly kms?: number; readonly bsf?: number };
  /** Shorter times for tests. */
  readonly times?: Partial<ForwardingTimes>;
  readonly udpTimes?: UdpTimes;
}

/** An IMS in a box. What it is not: src/lab/README.md. */
export interface Lab {
  readonly domain: 'lab.test';
  /** Trust this for SIP over TLS, for the KMS and for the BSF. */
  readonly caPem: string;
  /** Addresses of the first edge. */
  readonly sip: EdgeAddresses;
  /** Addresses of every edge, the first one's first. */
  readonly edges: readonly EdgeAddresses[];
  /** Where a MESSAGE for several recipients goes (RFC 5365). */
  readonly listService: string;
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
  /** Breaks the signalling flows that are open right now, of every edge; returns how many. */
  cutLinks(): number;
  /** Ends all registrations of a user, as the network may; returns how many. @throws RangeError for somebody who is no user. */
  deregister(userName: string, why: BindingEnd, retryAfterSeconds?: number): number;
  /** Closes an edge's ports and its flows, and opens them again. @throws RangeError when there is no such edge. */
  stopEdge(index: number): Promise<void>;
  startEdge(index: number): Promise<void>;
  /** Closes the KMS's port, and opens it again; its keys stay. */
  stopKms(): Promise<void>;
  startKms(): Promise<void>;
  stop(): Promise<void>;
}

/** What the state of an earlier run says of ports, else the options. */
export function portsOf(options: LabOptions, kept: readonly EdgePorts[], index: number): Partial<EdgePorts> {
  const asked: Partial<EdgePorts> =
    index === 0 ? { tls: options.ports?.sipTls ?? 0, tcp: options.ports?.sipTcp ?? 0 } : {};
  const chosen = Object.entries(asked).filter(([, port]) => port !== 0);
  return { ...kept[index], ...Object.fromEntries(chosen) };
}
